"""The stop signal at moments that nobody chose: it ends every process soon."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import queues
from tests.conftest import environment

BACKEND = Path(__file__).parent.parent
STARTS = 25
# Seconds in which a start opens its connections, and takes or enqueues its first jobs.
OPENING = 0.06
# What `manage.py` ends with for a command that the signal meets unprepared.
UNPREPARED = 128 + signal.SIGTERM


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("command", "codes"), [("run_scheduler", {"0"}), ("run_worker", {"0", str(UNPREPARED)})]
)
def test_a_stop_at_any_moment_of_a_start_ends_it(
    command: str, codes: set[str], tmp_path: Path
) -> None:
    chance = random.Random(command)  # noqa: S311
    moments = [f"{chance.uniform(0, OPENING):.4f}" for _ in range(STARTS)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tests.starting", command, *moments],
        cwd=BACKEND,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    ends = done.stdout.split()
    assert len(ends) == STARTS
    assert set(ends) <= codes, done.stderr


def test_a_stop_is_not_lost_where_exceptions_are() -> None:
    """Python drops what is raised while an object is destroyed, as it is in every import."""
    code = """
import os, signal
from django.core import management
import manage

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

management.execute_from_command_line = lambda _: Last() and None
manage.main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=BACKEND, check=False)  # noqa: S603
    assert done.returncode == UNPREPARED


@pytest.mark.usefixtures("queue")
def test_an_opening_of_the_queue_that_is_cancelled_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with queues.opened():
            pytest.fail("it was cancelled before")

    async def cancelled() -> set[asyncio.Task[None]]:
        opening = asyncio.create_task(work())
        while len(asyncio.all_tasks()) == 2:  # until the pool has tasks of its own
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(cancelled()) == set()
