"""Which jobs a worker takes, and how it reaches the queue."""

import procrastinate
from procrastinate.contrib.django import utils


def take_known_tasks_alone(app: procrastinate.App) -> None:
    """Let this release's workers take from the queues of its own tasks only.

    During a roll the workers of two releases ask the same database. A job of a kind that one of
    them does not know would fail there; in a queue of its own it waits for the other.
    """
    app.worker_defaults["queues"] = sorted({task.queue for task in app.tasks.values()})


def connector() -> procrastinate.PsycopgConnector:
    """Return a small pool of connections for a process that works on the queue."""
    return procrastinate.PsycopgConnector(
        kwargs=utils.connector_params(), min_size=1, max_size=4, timeout=10
    )
