"""Settings; every value that differs between environments comes from the environment."""

import os
from pathlib import Path
from typing import Any

from config import environment
from jobs import HEARTBEAT_EVERY, STALLED_AFTER

BASE_DIR = Path(__file__).resolve().parent.parent

# Nothing in the environment turns it on: who works on the code has settings of their own, which no
# image contains (development/settings.py).
DEBUG = False
# The first signs; what the others have signed is still believed, until a rotation is over.
SECRET_KEY, *SECRET_KEY_FALLBACKS = environment.secret_lines("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = environment.words("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = environment.words("DJANGO_CSRF_TRUSTED_ORIGINS", default="")

# What serves: shown by /version.
RELEASE = os.environ.get("SLIPWAY_RELEASE", "")
VERSION = os.environ.get("SLIPWAY_VERSION", "")

# Seconds between the stop signal and the moment by which a process has ended by itself.
STOP_SECONDS = environment.number("SLIPWAY_STOP_SECONDS", default=25)

# Proxies between the visitors and here: Traefik, and a CDN if one stands before it.
PROXIES = environment.number("SLIPWAY_PROXIES", default=0)

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "boards",
    "notes",
    "activity",
    "jobs",
]

MIDDLEWARE = [
    "config.visitors.VisitorAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": environment.text("DATABASE_HOST"),
        "PORT": environment.number("DATABASE_PORT", default=5432),
        "NAME": environment.text("DATABASE_NAME"),
        "USER": environment.secret("DATABASE_USER"),
        "PASSWORD": environment.secret("DATABASE_PASSWORD"),
        # A connection per thread, kept, and checked before it is used again.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        # Seconds; below the three that a readiness probe waits.
        "OPTIONS": {"connect_timeout": 2},
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# A release collects into a directory of its own, with the list of its hashed names.
STATIC_URL = "/static/"
STATIC_ROOT = environment.text("STATIC_ROOT", default=str(BASE_DIR / "var/static"))
MEDIA_URL = "/media/"
MEDIA_ROOT = environment.text("MEDIA_ROOT", default=str(BASE_DIR / "var/media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

# The queue in Postgres, see jobs/.
PROCRASTINATE_ON_APP_READY = "jobs.queues.take_known_tasks_alone"
PROCRASTINATE_WORKER_DEFAULTS: dict[str, Any] = {
    "concurrency": 2,
    "shutdown_graceful_timeout": STOP_SECONDS,
    "update_heartbeat_interval": HEARTBEAT_EVERY,
    "stalled_worker_timeout": STALLED_AFTER,
}

# TLS ends at Traefik, which sets this header and drops a visitor's own.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# HSTS for subdomains and preloading bind more than this site: the domain's owner decides.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # Django's own handlers would mail errors to nobody.
    "loggers": {"django": {"handlers": [], "propagate": True}, "jobs": {"level": "INFO"}},
}
