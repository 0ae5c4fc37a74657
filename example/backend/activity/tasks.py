"""Jobs that count notes. Each kind has a queue of its own: see `jobs.queues`.

Jobs of a release are also done by the workers of the one before and the one after it: an argument
is only ever added, with a default, and removed one release after the last that gives it.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from activity.counting import count
from activity.models import CountedNote
from notes.models import Note

# A note and its job are written in one transaction; what has no mark by now was written by a
# release that knew of no jobs.
MISSED_AFTER = timedelta(minutes=5)


@app.task(queue="count_note", retry=RetryStrategy(max_attempts=8, exponential_wait=3))
def count_note(note_id: int) -> None:
    """Add a note to the sums of its board, unless it is deleted by now."""
    note = Note.objects.filter(pk=note_id).first()
    if note is not None:
        count(note)


@app.task(queue="count_missed", queueing_lock="count_missed")
def count_missed(timestamp: int) -> None:
    """Add the notes that nobody enqueued."""
    counted = CountedNote.objects.filter(note_id=OuterRef("pk"))
    missed = Note.objects.filter(~Exists(counted), created_at__lt=timezone.now() - MISSED_AFTER)
    for note in missed.iterator():
        count(note)
