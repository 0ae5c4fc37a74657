from django.db import migrations


class Migration(migrations.Migration):
    """Changes nothing, and can be seen to be pending or applied."""

    dependencies = (("notes", "0004_note_newest_first"),)
    operations = (migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),)
