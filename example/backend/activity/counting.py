"""Count a note once, however often it is tried."""

from datetime import UTC

from django.db import transaction
from django.db.models import F

from activity.models import BoardDay, CountedNote
from activity.words import count_words
from notes.models import Note


@transaction.atomic
def count(note: Note) -> bool:
    """Add a note to its board's day; False when it is in there already.

    The mark and the sums are one transaction: a worker that is killed in between leaves neither.
    A second one that tries at the same time waits for the first one's mark, and finds it.
    """
    _, is_new = CountedNote.objects.get_or_create(note_id=note.pk)
    if not is_new:
        return False
    day, _ = BoardDay.objects.get_or_create(
        board_id=note.board_id, day=note.created_at.astimezone(UTC).date()
    )
    BoardDay.objects.filter(pk=day.pk).update(
        notes=F("notes") + 1, words=F("words") + count_words(note.text)
    )
    return True
