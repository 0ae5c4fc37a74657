from http import HTTPStatus
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.test import Client


def test_alive_asks_no_database(client: Client) -> None:
    # Without the db fixture any query fails the test.
    assert client.get("/healthz").json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_while_the_database_answers(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == HTTPStatus.OK
    assert response.json() == {"status": "ready"}


def test_not_ready_while_the_database_does_not_answer(client: Client) -> None:
    with patch.object(connection, "cursor", side_effect=OperationalError("connection refused")):
        response = client.get("/readyz")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json() == {"status": "database unavailable"}


def test_version_names_what_serves(client: Client) -> None:
    response = client.get("/version")
    assert response.json() == {"release": "20260102-030405-0123abcd", "version": "1.2.3"}
    assert "no-store" in response["Cache-Control"]


def test_plain_http_is_sent_to_tls(client: Client) -> None:
    response = client.get("/version", headers={"x-forwarded-proto": "http"})
    assert response.status_code == HTTPStatus.MOVED_PERMANENTLY
    assert response["Location"] == "https://app.example.test/version"


def test_a_foreign_host_is_refused(client: Client) -> None:
    response = client.get("/version", headers={"host": "elsewhere.test"})
    assert response.status_code == HTTPStatus.BAD_REQUEST
