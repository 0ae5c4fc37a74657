from django.urls import path

from notes import views

urlpatterns = [
    path("boards/<int:board_id>/notes/", views.note_list),
    path("notes/<int:note_id>/", views.note_detail),
]
