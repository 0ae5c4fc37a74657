from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from development.management.commands import seed
from notes.models import Note


def seeded() -> str:
    """Seed the database and return what is said about it."""
    out = StringIO()
    call_command(seed.Command(), stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_an_empty_database_is_seeded_once() -> None:
    assert f"{len(seed.NOTES)} notes are written" in seeded()
    assert authenticate(username=seed.ADMIN, password=seed.ADMIN) is not None

    assert seeded() == ""
    assert Note.objects.count() == len(seed.NOTES)


@pytest.mark.django_db
def test_a_seeded_note_that_was_deleted_stays_so() -> None:
    seeded()
    Note.objects.first().delete()  # type: ignore[union-attr]
    seeded()
    assert Note.objects.count() == len(seed.NOTES) - 1
