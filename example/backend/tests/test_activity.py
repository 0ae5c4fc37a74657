from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.admin.sites import site
from django.db import transaction
from django.forms import ModelForm
from django.test import Client, RequestFactory
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from activity.counting import count
from activity.models import BoardDay, CountedNote
from activity.tasks import MISSED_AFTER, count_missed, count_note
from activity.words import count_words
from boards.models import Board
from notes.models import Note
from notes.writing import write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Milk", 1),
        ("  ", 0),
        ("Milk, bread — and well-aged cheese.", 5),
        ("Don’t\nforget", 2),  # noqa: RUF001
        ("Ünïcödé 42", 2),
    ],
)
def test_words(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_note_counts_once_however_often_it_is_tried(board: Board) -> None:
    note = Note.objects.create(board=board, text="Milk and bread")
    assert [count(note) for _ in range(3)] == [True, False, False]
    day = BoardDay.objects.get()
    assert (day.board_id, day.notes, day.words) == (board.pk, 1, 3)


def test_a_try_that_fails_half_way_leaves_nothing(board: Board) -> None:
    note = Note.objects.create(board=board, text="Milk")
    with (
        patch("activity.counting.count_words", side_effect=MemoryError),
        pytest.raises(MemoryError),
    ):
        count(note)
    assert not CountedNote.objects.exists()
    assert not BoardDay.objects.exists()


def test_a_note_that_is_gone_is_not_counted(board: Board) -> None:
    note = Note.objects.create(board=board, text="Milk")
    Note.objects.all().delete()
    count_note(note_id=note.pk)
    assert not CountedNote.objects.exists()


def test_a_note_is_written_with_its_job_or_not_at_all(board: Board) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        write(Note(board=board, text="Milk"))
        raise RuntimeError
    assert not Note.objects.exists()
    assert not ProcrastinateJob.objects.exists()

    note = Note(board=board, text="Milk")
    write(note)
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.args) == (count_note.name, {"note_id": note.pk})


def test_the_admin_enqueues_what_it_writes_and_not_what_it_changes(
    board: Board, rf: RequestFactory
) -> None:
    note = Note(board=board, text="Milk")
    for change in (False, True):
        site.get_model_admin(Note).save_model(rf.post("/"), note, ModelForm, change)
    assert ProcrastinateJob.objects.count() == 1


def test_notes_that_nobody_enqueued_are_found(board: Board) -> None:
    missed, counted, young = (Note.objects.create(board=board, text="Milk") for _ in range(3))
    Note.objects.exclude(pk=young.pk).update(
        created_at=timezone.now() - MISSED_AFTER - timedelta(seconds=1)
    )
    count(counted)
    count_missed(timestamp=0)
    assert set(CountedNote.objects.values_list("pk", flat=True)) == {missed.pk, counted.pk}


def test_the_activity_of_a_board(client: Client, board: Board) -> None:
    path = f"/api/boards/{board.pk}/activity/"
    assert client.get(path).json() == {"notes": 0, "words": 0, "days": []}

    first = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    for number in range(20):
        note = Note.objects.create(board=board, text="Milk and bread")
        note.created_at = first + timedelta(days=number)
        count(note)
    BoardDay.objects.create(board_id=board.pk + 1, day=date(2026, 1, 2), notes=7, words=70)

    found = client.get(path).json()
    assert (found["notes"], found["words"]) == (20, 60)
    assert [day["day"] for day in found["days"]] == [f"2026-01-{day:02}" for day in range(7, 21)]
    assert found["days"][0] == {"day": "2026-01-07", "notes": 1, "words": 3}
