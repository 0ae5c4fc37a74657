from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from boards.models import Board
from config import requests
from notes.forms import NoteForm
from notes.models import Note
from notes.writing import write

# The newest notes that a board shows; older ones are in the admin.
LIMIT = 100


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def note_list(request: HttpRequest, board_id: int) -> HttpResponse:
    """List a board's newest notes, or write one: `{"text": …, "author": …}`."""
    board = Board.objects.filter(pk=board_id).first()
    if board is None:
        return requests.error("There is no such board.", 404)
    if request.method != "POST":
        notes = Note.objects.filter(board=board)[:LIMIT]
        return JsonResponse({"notes": [_as_json(note) for note in notes]})
    try:
        note = _from_json(board, requests.body(request))
    except requests.InvalidRequestError as error:
        return requests.error(str(error), 400)
    write(note)
    return JsonResponse(_as_json(note), status=201)


@never_cache
@require_http_methods(["DELETE"])
def note_detail(request: HttpRequest, note_id: int) -> HttpResponse:
    """Delete a note."""
    deleted, _ = Note.objects.filter(pk=note_id).delete()
    if not deleted:
        return requests.error("There is no such note.", 404)
    return HttpResponse(status=204)


def _from_json(board: Board, body: dict[str, Any]) -> Note:
    """Return an unsaved note; raises InvalidRequestError, which names the field."""
    for name in NoteForm.Meta.fields:
        if not isinstance(body.get(name, ""), str):
            raise requests.InvalidRequestError(f"{name}: This is not a text.")
    form = NoteForm(body, instance=Note(board=board))
    if not form.is_valid():
        name, messages = next(iter(form.errors.items()))
        raise requests.InvalidRequestError(f"{name}: {messages[0]}")
    note: Note = form.save(commit=False)
    return note


def _as_json(note: Note) -> dict[str, Any]:
    return {
        "id": note.pk,
        "text": note.text,
        "author": note.author,
        "attachment": note.attachment.url if note.attachment else None,
        "created_at": note.created_at.isoformat(),
    }
