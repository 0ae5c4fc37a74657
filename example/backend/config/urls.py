"""Every address of the backend; the frontend serves the rest."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from config import probes

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("boards.urls")),
    path("api/", include("notes.urls")),
    path("api/", include("activity.urls")),
    path("healthz", probes.alive),
    path("readyz", probes.ready),
    path("version", probes.version),
    # Only with development/settings.py; elsewhere the web server owns these files.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
