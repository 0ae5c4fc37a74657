"""Gunicorn's settings; GUNICORN_CMD_ARGS in the environment overrides any of them."""

import os
from importlib import import_module
from typing import Any

wsgi_app = "config.wsgi:application"
bind = "0.0.0.0:8000"

# Each thread holds a database connection: workers x threads x replicas, twice during a roll.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
# Imported once and shared: a release is ready sooner and takes less memory.
preload_app = True
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


def when_ready(server: Any) -> None:
    """Warm up once, in the process that has imported the application and forked no worker yet."""
    import_module("config.warming").warm_process(server.app.wsgi())


def post_worker_init(worker: Any) -> None:
    """Connect every thread to the database before the worker accepts a visitor."""
    import_module("config.warming").warm_threads(worker.wsgi, worker.tpool, threads)
