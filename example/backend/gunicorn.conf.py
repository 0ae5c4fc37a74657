"""Gunicorn's settings; GUNICORN_CMD_ARGS in the environment overrides any of them."""

import os
import sys
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured

wsgi_app = "config.wsgi:application"
bind = "0.0.0.0:8000"

# Each thread holds a database connection: workers x threads x replicas, twice during a roll.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
# Heartbeats are files: in memory, because the root is read-only and a disk can stall.
worker_tmp_dir = "/dev/shm"  # noqa: S108

# Seconds. The proxy drops idle connections after one, so Gunicorn never closes one in use.
keepalive = 2
# Seconds for requests in flight after the stop signal, before the container is killed.
graceful_timeout = int(os.environ.get("SLIPWAY_STOP_SECONDS", "25"))

# The proxy writes the access log. Errors go to stderr.
accesslog = None
errorlog = "-"
loglevel = "warning"

# Nobody's X-Forwarded-* sets the scheme here: Django reads X-Forwarded-Proto by itself
# (SECURE_PROXY_SSL_HEADER). Only an application that uses wsgi.url_scheme needs the proxy's
# address in this list.
forwarded_allow_ips = "127.0.0.1,::1"

# Management by socket wants a writable home directory.
control_socket_disable = True


def on_starting(server: object) -> None:
    """Say in one line which setting is wrong, before any worker starts."""
    try:
        import_module("config.settings")
    except ImproperlyConfigured as error:
        sys.exit(f"gunicorn: {error}")
