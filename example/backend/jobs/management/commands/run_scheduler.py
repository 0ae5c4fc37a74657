import asyncio
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from jobs import scheduling


class Command(BaseCommand):
    help = "Enqueue jobs by the schedule until the stop signal, unless another scheduler does."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(scheduling.run())
        except* psycopg.Error as errors:
            raise CommandError(f"the database went away: {errors.exceptions[0]}") from None
