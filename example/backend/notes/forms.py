from django import forms

from notes.models import Note


class NoteForm(forms.ModelForm):
    """What a visitor may write; attachments come from the admin alone."""

    class Meta:
        model = Note
        fields = ("text", "author")
