from django.contrib import admin

from notes.models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_display = ("text", "board", "author", "created_at")
    list_filter = ("board",)
    search_fields = ("text", "author")
    date_hierarchy = "created_at"
