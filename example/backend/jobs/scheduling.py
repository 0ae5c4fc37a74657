"""The scheduler, of which one alone is at work however many run.

A reboot in the middle of a deploy brings the old release's scheduler back beside the new one's.
So it is not the deploy that makes it the only one, but a lock in Postgres, which falls when the
connection that holds it does.
"""

import asyncio
import logging

import psycopg
from procrastinate.contrib.django import utils
from procrastinate.periodic import PeriodicDeferrer

from jobs import pulse, queues, schedule

logger = logging.getLogger(__name__)

LOCK = "scheduler"
# Seconds between two tries to have the lock, and between two looks whether it is still held.
TRY_EVERY = 1.0


async def run() -> None:
    """Enqueue by the schedule without end; wait first while another scheduler does.

    The process may be ended at any moment: a job is enqueued wholly or not at all.
    Raises psycopg.Error when the database goes away, and the lock with it.
    """
    async with await psycopg.AsyncConnection.connect(
        **utils.connector_params(), autocommit=True
    ) as connection:
        await _work(connection)


async def _work(connection: psycopg.AsyncConnection) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pulse.beat(lambda: connection.execute("SELECT 1")))
        while not await _has_lock(connection):
            await asyncio.sleep(TRY_EVERY)
        logger.info("the scheduler is at work")
        tasks.create_task(_defer())
        while True:
            await connection.execute("SELECT 1")
            await asyncio.sleep(TRY_EVERY)


async def _has_lock(connection: psycopg.AsyncConnection) -> bool:
    answer = await connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [LOCK])
    row = await answer.fetchone()
    return bool(row and row[0])


async def _defer() -> None:
    async with queues.opened():
        await PeriodicDeferrer(schedule.registry()).worker()
