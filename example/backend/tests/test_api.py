from http import HTTPStatus
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from boards.models import Board
from notes.models import Note


@pytest.fixture
def token(client: Client, board: Board) -> str:
    """The CSRF token that the SPA finds in its cookie."""
    client.get("/api/boards/")
    return client.cookies["csrftoken"].value


def write(client: Client, board: Board, token: str, body: Any) -> Any:
    return client.post(
        f"/api/boards/{board.pk}/notes/",
        data=body,
        content_type="application/json",
        headers={"x-csrftoken": token},
    )


def test_boards_come_in_order_with_their_number_of_notes(client: Client, board: Board) -> None:
    Note.objects.create(board=board, text="Milk")
    Note.objects.create(board=board, text="Bread")

    boards = client.get("/api/boards/").json()["boards"]

    assert [(entry["name"], entry["notes"]) for entry in boards] == [
        ("Errands", 2),
        ("Ideas", 0),
        ("Next", 0),
        ("Done", 0),
    ]


def test_the_csrf_cookie_is_secure_and_readable_by_the_page(client: Client, token: str) -> None:
    cookie = client.cookies["csrftoken"]
    assert cookie["secure"]
    assert not cookie["httponly"]


def test_a_note_is_written_listed_first_and_deleted(
    client: Client, board: Board, token: str
) -> None:
    Note.objects.create(board=board, text="Milk")

    written = write(client, board, token, {"text": " Bread ", "author": "Kim"})
    assert written.status_code == HTTPStatus.CREATED
    note = written.json()
    assert (note["text"], note["author"], note["attachment"]) == ("Bread", "Kim", None)

    notes = client.get(f"/api/boards/{board.pk}/notes/").json()["notes"]
    assert [entry["text"] for entry in notes] == ["Bread", "Milk"]

    gone = client.delete(f"/api/notes/{note['id']}/", headers={"x-csrftoken": token})
    assert gone.status_code == HTTPStatus.NO_CONTENT
    assert not Note.objects.filter(pk=note["id"]).exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "text: This field is required."),
        ({"text": "   "}, "text: This field is required."),
        ({"text": 5}, "text: This is not a text."),
        ({"text": "x", "author": None}, "author: This is not a text."),
        ({"text": "a\x00b"}, "text: Null characters are not allowed."),
        ({"text": "x" * 501}, "text: Ensure this value has at most 500 characters"),
        ("{", "The body is not JSON."),
        ("[]", "The body is not a JSON object."),
    ],
)
def test_a_bad_note_is_refused_with_the_reason(
    client: Client, board: Board, token: str, body: Any, message: str
) -> None:
    response = write(client, board, token, body)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert response.json()["error"].startswith(message)
    assert not Note.objects.exists()


def test_writing_without_the_token_is_refused(client: Client, board: Board, token: str) -> None:
    note = Note.objects.create(board=board, text="Milk")
    assert write(client, board, "", {"text": "x"}).status_code == HTTPStatus.FORBIDDEN
    assert client.delete(f"/api/notes/{note.pk}/").status_code == HTTPStatus.FORBIDDEN
    assert Note.objects.count() == 1


def test_what_is_not_there_is_404(client: Client, board: Board, token: str) -> None:
    assert client.get("/api/boards/0/notes/").status_code == HTTPStatus.NOT_FOUND
    gone = client.delete("/api/notes/0/", headers={"x-csrftoken": token})
    assert gone.status_code == HTTPStatus.NOT_FOUND


def test_an_attachment_has_an_address_under_media(client: Client, board: Board) -> None:
    note = Note(board=board, text="Receipt")
    note.attachment.save("receipt.txt", ContentFile(b"4.20"))

    [entry] = client.get(f"/api/boards/{board.pk}/notes/").json()["notes"]
    assert entry["attachment"].startswith("/media/notes/")
