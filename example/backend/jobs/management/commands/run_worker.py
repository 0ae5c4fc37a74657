import asyncio
from typing import Any

from django.core.management.base import BaseCommand
from procrastinate.contrib.django import app

from jobs import pulse, queues


class Command(BaseCommand):
    help = "Do jobs until the stop signal; a job in flight then has STOP_SECONDS to end."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(work())


async def work() -> None:
    """Do what `manage.py procrastinate worker` does, with a pulse and fewer connections."""
    async with queues.opened():
        beating = asyncio.create_task(pulse.beat(app.check_connection_async))
        await app.run_worker_async()
        beating.cancel()
