import asyncio
import os
import signal
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from jobs import scheduling


class Command(BaseCommand):
    help = "Enqueue jobs by the schedule until the stop signal, unless another scheduler does."

    def handle(self, *args: Any, **options: Any) -> None:
        # Not by unwinding the loop, in which the cancellation of what just connects can get lost.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        try:
            asyncio.run(scheduling.run())
        except* psycopg.Error as errors:
            raise CommandError(f"the database went away: {errors.exceptions[0]}") from None
