"""What Gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
# Every view is imported before the worker listens, not while its first visitor waits.
get_resolver().url_patterns  # noqa: B018
