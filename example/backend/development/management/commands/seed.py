from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from boards.models import Board
from notes.models import Note
from notes.writing import write

ADMIN = "admin"
# Board, author and text, the oldest first.
NOTES = (
    ("Done", "Kim", "Notes can be written on a telephone"),
    ("Done", "", "The page says what went wrong"),
    ("Next", "Noor", "Search all boards at once"),
    ("Next", "Kim", "Attach a picture to a note"),
    ("Ideas", "", "A board that only its friends can see"),
    ("Ideas", "Sam", "Let a note be pinned to the top"),
)


class Command(BaseCommand):
    help = "Fill an empty database with notes and an admin; leave one that has notes alone."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        if not users.filter(username=ADMIN).exists():
            users.create_superuser(ADMIN, password=ADMIN)
            self.stdout.write(f"The admin's name and password: {ADMIN}")
        if Note.objects.exists():
            return
        for name, author, text in NOTES:
            board, _ = Board.objects.get_or_create(name=name)
            write(Note(board=board, author=author, text=text))
        self.stdout.write(f"{len(NOTES)} notes are written.")
