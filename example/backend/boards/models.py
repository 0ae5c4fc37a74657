from django.db import models


class Board(models.Model):
    """A wall that notes are pinned to."""

    name = models.CharField(max_length=60, unique=True)
    # Defaults live in the database: during a roll the release before still inserts rows
    # and does not know these columns.
    description = models.CharField(max_length=200, blank=True, default="", db_default="")
    position = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name
