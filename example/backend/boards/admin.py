from django.contrib import admin

from boards.models import Board


@admin.register(Board)
class BoardAdmin(admin.ModelAdmin):
    list_display = ("name", "description", "position")
    list_editable = ("position",)
    search_fields = ("name",)
