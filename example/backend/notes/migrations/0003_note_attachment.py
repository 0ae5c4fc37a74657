from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notes", "0002_note_author")]

    operations = [
        migrations.AddField(
            model_name="note",
            name="attachment",
            field=models.FileField(blank=True, db_default="", default="", upload_to="notes/%Y/%m"),
        ),
    ]
