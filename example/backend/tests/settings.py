"""The shipped settings, with a default for every variable that the environment leaves out."""

import os
import tempfile

for _name, _value in {
    "DATABASE_HOST": "127.0.0.1",
    "DATABASE_NAME": "app",
    "DATABASE_USER": "app",
    "DATABASE_PASSWORD": "app",
    "DJANGO_ALLOWED_HOSTS": "app.example.test",
    "DJANGO_SECRET_KEY": "tests-only-" + "0123456789abcdef" * 4,
    "SLIPWAY_RELEASE": "20260102-030405-0123abcd",
    "SLIPWAY_VERSION": "1.2.3",
}.items():
    os.environ.setdefault(_name, _value)

from config.settings import *  # noqa: E402, F403

# Tests upload and collect nothing beside the code; the ones that do name their own directories.
MEDIA_ROOT = tempfile.gettempdir()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Threads that do jobs leave no connection behind that would keep the test database.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
