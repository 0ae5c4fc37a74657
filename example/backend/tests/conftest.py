import pytest
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
