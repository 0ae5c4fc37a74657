from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FIRST_BOARDS = (
    ("Ideas", "What we could build one day."),
    ("Next", "What we have promised to do."),
    ("Done", "What our users already have."),
)


def add_first_boards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give a new installation something to look at; leave one with boards alone."""
    board = apps.get_model("boards", "Board")
    if not board.objects.exists():
        board.objects.bulk_create(
            board(name=name, description=description, position=position)
            for position, (name, description) in enumerate(FIRST_BOARDS, start=1)
        )


class Migration(migrations.Migration):
    dependencies = [("boards", "0002_description_and_position")]

    operations = [migrations.RunPython(add_first_boards, migrations.RunPython.noop)]
