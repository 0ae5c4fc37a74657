from django.db import transaction

from activity.tasks import count_note
from notes.models import Note


@transaction.atomic
def write(note: Note) -> None:
    """Save a new note and enqueue what follows from it: both happen, or neither."""
    note.save()
    count_note.defer(note_id=note.pk)
