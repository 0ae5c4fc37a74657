"""What is enqueued when. Only the scheduler asks: a worker enqueues nothing by the clock."""

from typing import Any

from procrastinate.periodic import PeriodicRegistry
from procrastinate.tasks import Task

from activity.tasks import count_missed
from jobs.tasks import forget_old, retry_stalled

# Five fields, or six with the seconds at the end; times are in UTC.
SCHEDULE: dict[str, Task[Any, Any, Any]] = {
    "* * * * * */15": retry_stalled,
    "*/5 * * * *": count_missed,
    "17 * * * *": forget_old,
}


def registry() -> PeriodicRegistry:
    """Return the schedule as Procrastinate wants it."""
    found = PeriodicRegistry()  # type: ignore[no-untyped-call]
    for cron, task in SCHEDULE.items():
        found.register_task(task, cron=cron, periodic_id="", configure_kwargs={})
    return found
