from django.urls import path

from activity import views

urlpatterns = [path("boards/<int:board_id>/activity/", views.board_activity)]
