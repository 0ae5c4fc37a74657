"""How much is written on a board, day by day: sums that jobs keep.

Boards and notes are plain numbers here, not foreign keys: during a roll the release before still
deletes them, and does not know these tables.
"""

from django.db import models


class BoardDay(models.Model):
    """What was written on a board on one day, in UTC; notes that are deleted later still count."""

    board_id = models.BigIntegerField()
    day = models.DateField()
    notes = models.PositiveIntegerField(default=0, db_default=0)
    words = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("board_id", "day"), name="one_row_for_board_and_day"),
        )

    def __str__(self) -> str:
        return f"board {self.board_id} on {self.day}"


class CountedNote(models.Model):
    """A note that the sums contain. Being the primary key, a note counts once."""

    note_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"note {self.note_id}"
