"""Do before the first visitor what Django otherwise does at the first request.

URLs, queries, templates and the database's driver are loaded or compiled at first use: Gunicorn's
first process does that once, and its workers, which are forked from it, find it done. What cannot
be forked is a connection to the database: each thread of each worker opens its own.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from threading import Barrier
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.db import connections

Application = Callable[[dict[str, Any], Callable[..., None]], Iterable[bytes]]

# Whether there is a database to ask for the rest.
READY = "/readyz"
API = "/api/boards/"
ADMIN = "/admin/login/"
# Seconds; a database that takes longer has other worries.
PATIENCE = 10


def warm_process(application: Application) -> None:
    """Ask for some pages, and leave no connection for a fork to inherit."""
    _ask_each(application, READY, API, ADMIN)
    connections.close_all()


def warm_threads(application: Application, pool: Executor, threads: int) -> None:
    """Let every thread of a pool ask something, on the connection that it then keeps."""
    all_at_once = Barrier(threads)

    def ask() -> None:
        all_at_once.wait(PATIENCE)
        _ask_each(application, READY, API)

    wait([pool.submit(ask) for _ in range(threads)], timeout=PATIENCE)


def _ask_each(application: Application, *paths: str) -> None:
    """Ask for one page after the other, as the proxy does, while the answers are good."""
    for path in paths:
        if not _ask(application, path).startswith("200"):
            return


def _ask(application: Application, path: str) -> str:
    """Return the answer's status."""
    environ: dict[str, Any] = {
        "PATH_INFO": path,
        "HTTP_HOST": settings.ALLOWED_HOSTS[0].replace("*", "localhost").lstrip("."),
        "HTTP_X_FORWARDED_PROTO": "https",
    }
    setup_testing_defaults(environ)
    found: list[str] = []
    body = application(environ, lambda status, *_: found.append(status))
    b"".join(body)
    if hasattr(body, "close"):
        body.close()  # ends the request, and with it Django's part of the connection
    return found[0]
