from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CountedNote",
            fields=[
                ("note_id", models.BigIntegerField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="BoardDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("board_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("notes", models.PositiveIntegerField(db_default=0, default=0)),
                ("words", models.PositiveIntegerField(db_default=0, default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("board_id", "day"), name="one_row_for_board_and_day"
                    )
                ],
            },
        ),
    ]
