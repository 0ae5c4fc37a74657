"""The shipped settings as tests want them, on whichever Postgres the environment names."""

import os
import tempfile

from development.environment import fill_in

fill_in()
os.environ |= {
    "DJANGO_ALLOWED_HOSTS": "app.example.test",
    "DJANGO_SECRET_KEY": "tests-only-" + "0123456789abcdef" * 4,
    "SLIPWAY_RELEASE": "20260102-030405-0123abcd",
    "SLIPWAY_VERSION": "1.2.3",
}

from config.settings import *  # noqa: E402, F403

# Tests upload and collect nothing beside the code; the ones that do name their own directories.
MEDIA_ROOT = tempfile.gettempdir()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Threads that do jobs leave no connection behind that would keep the test database.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
