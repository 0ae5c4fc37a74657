from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notes", "0003_note_attachment")]

    operations = [
        migrations.AddIndex(
            model_name="note",
            index=models.Index(fields=("board", "-created_at", "-id"), name="note_newest_first"),
        ),
    ]
