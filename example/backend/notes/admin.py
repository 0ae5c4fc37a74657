from django import forms
from django.contrib import admin
from django.http import HttpRequest

from notes.models import Note
from notes.writing import write


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_display = ("text", "board", "author", "created_at")
    list_filter = ("board",)
    search_fields = ("text", "author")
    date_hierarchy = "created_at"

    def save_model(
        self, request: HttpRequest, obj: Note, form: forms.ModelForm, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            write(obj)
