from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from config import warming


class Site:
    """An application that notes who asked for what."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status
        self.asked: list[tuple[str, int]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., None]) -> list[bytes]:
        self.asked.append((environ["PATH_INFO"], threading.get_ident()))
        start(self.status, [])
        return [b""]


def real_site() -> warming.Application:
    """Return Django's own application; its stubs do not know that an answer is iterable."""
    return cast(warming.Application, WSGIHandler())


def test_every_thread_asks() -> None:
    site = Site()
    with ThreadPoolExecutor(max_workers=4) as pool:
        warming.warm_threads(site, pool, threads=4)
    assert len({thread for path, thread in site.asked if path == warming.API}) == 4


def test_without_a_database_nothing_else_is_asked() -> None:
    site = Site("503 Service Unavailable")
    warming.warm_process(site)
    assert [path for path, _ in site.asked] == [warming.READY]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [warming.READY, warming.API, warming.ADMIN])
def test_the_site_answers_what_is_asked(path: str) -> None:
    assert warming._ask(real_site(), path) == "200 OK"


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_left_for_a_fork() -> None:
    warming.warm_process(real_site())
    assert connection.connection is None
