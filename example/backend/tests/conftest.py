import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from boards.models import Board

HOST = "app.example.test"


@pytest.fixture
def client() -> Client:
    """Ask as the proxy does: the public name, over TLS, with CSRF protection on."""
    return Client(
        enforce_csrf_checks=True,
        headers={"host": HOST, "x-forwarded-proto": "https", "origin": f"https://{HOST}"},
    )


@pytest.fixture
def board(db: None) -> Board:
    return Board.objects.create(name="Errands")


@pytest.fixture
def queue(transactional_db: None) -> Iterator[None]:
    """Work on the queue in transactions of one's own, and leave it empty: Django does not."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers,"
            " procrastinate_workers"
        )


def environment(directory: Path) -> dict[str, str]:
    """Return the environment of a process on the test database, with its pulse in the directory."""
    return {
        **os.environ,
        "DATABASE_NAME": connection.settings_dict["NAME"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TMPDIR": str(directory),
    }
