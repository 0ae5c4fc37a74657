from django.db import models

from boards.models import Board


class Note(models.Model):
    """A short text on a board."""

    board = models.ForeignKey(Board, on_delete=models.CASCADE)
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)
    # Defaults live in the database, as in boards.models.
    author = models.CharField(max_length=40, blank=True, default="", db_default="")
    attachment = models.FileField(upload_to="notes/%Y/%m", blank=True, default="", db_default="")

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=("board", "-created_at", "-id"), name="note_newest_first"),)

    def __str__(self) -> str:
        return self.text[:60]
