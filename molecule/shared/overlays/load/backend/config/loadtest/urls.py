"""The sample's addresses, and /api/bench/ beside them."""

from django.urls import path

from config.urls import urlpatterns as sample
from config.loadtest import views

urlpatterns = [
    path("api/bench/seen", views.seen),
    path("api/bench/slow", views.slow),
    path("api/bench/stream", views.stream),
    path("api/bench/upload", views.upload),
    path("api/bench/written", views.written),
    *sample,
]
