"""Which jobs a worker takes, and how it reaches the queue."""

import contextlib
from collections.abc import AsyncIterator

import procrastinate
from procrastinate.contrib.django import app, utils


def take_known_tasks_alone(app: procrastinate.App) -> None:
    """Let this release's workers take from the queues of its own tasks only.

    During a roll the workers of two releases ask the same database. A job of a kind that one of
    them does not know would fail there; in a queue of its own it waits for the other.
    """
    app.worker_defaults["queues"] = sorted({task.queue for task in app.tasks.values()})


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[None]:
    """Reach the queue by a small pool of connections, which is closed however this ends.

    Procrastinate leaves the pool open when its opening is cancelled. A worker of that pool which is
    connecting then takes the loop's end for a failed try, and waits for the next one without end.
    """
    pool = procrastinate.PsycopgConnector(
        kwargs=utils.connector_params(), min_size=1, max_size=4, timeout=10
    )
    with app.replace_connector(pool):
        try:
            await app.open_async()
            yield
        finally:
            await app.close_async()
