import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Exists, OuterRef, Sum
from procrastinate.contrib.django.models import ProcrastinateJob

from activity.models import BoardDay, CountedNote
from activity.tasks import count_note
from notes.models import Note


class Command(BaseCommand):
    help = "Print as JSON what became of the notes' jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait",
            type=float,
            default=0,
            metavar="SECONDS",
            help="wait so long for jobs that are not done yet; it is an error if some remain",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        end = time.monotonic() + options["wait"]
        while (found := report())["waiting"] and time.monotonic() < end:
            time.sleep(0.5)
        self.stdout.write(json.dumps(found, indent=2))
        if options["wait"] and found["waiting"]:
            raise CommandError(f"{found['waiting']} jobs are not done yet")


def report() -> dict[str, Any]:
    """Return numbers of jobs and of notes; all is well when `missing` and `twice` are 0.

    `missing` are notes that no sum contains, `twice` is by how many notes the sums exceed the
    notes that were counted. `tries` says how many jobs took 1, 2, … tries.
    """
    jobs = ProcrastinateJob.objects.filter(task_name=count_note.name)
    states = dict(jobs.values_list("status").annotate(Count("pk")))
    tries = jobs.filter(status="succeeded").values_list("attempts").annotate(Count("pk"))
    counted = CountedNote.objects.count()
    summed = BoardDay.objects.aggregate(notes=Sum("notes", default=0))["notes"]
    marks = CountedNote.objects.filter(note_id=OuterRef("pk"))
    return {
        "jobs": states,
        "waiting": states.get("todo", 0) + states.get("doing", 0),
        "tries": {str(number): many for number, many in sorted(tries)},
        "notes": Note.objects.count(),
        "counted": counted,
        "missing": Note.objects.filter(~Exists(marks)).count(),
        "twice": summed - counted,
    }
