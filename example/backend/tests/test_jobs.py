"""The queue with its real processes, against the test database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from procrastinate.contrib.django import app, utils
from procrastinate.contrib.django.models import ProcrastinateJob

from activity.models import BoardDay
from boards.models import Board
from jobs import STALLED_AFTER, pulse, queues, schedule
from jobs.tasks import MOST_TRIES, retry_stalled
from notes.models import Note
from notes.writing import write
from tests.conftest import environment

BACKEND = Path(__file__).parent.parent
# The server may have a scheduler at work on another database.
SCHEDULERS = """
    FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND datname = current_database()
"""


def eventually(happens: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def query(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def running(command: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command on the test database; its pulse is in the directory."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "manage.py", command],
        cwd=BACKEND,
        env=environment(directory),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def marks_held_up() -> Iterator[None]:
    """Let every job stop in the middle of its transaction until this ends."""
    with psycopg.connect(**utils.connector_params()) as other:
        other.execute("LOCK TABLE activity_countednote IN SHARE MODE")
        yield


def is_held_up() -> bool:
    return bool(
        query(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE 'activity%'"
        )
    )


def work_once() -> None:
    """Do what is in the queue, in this process."""

    async def work() -> None:
        async with queues.opened():
            await app.run_worker_async(
                wait=False, install_signal_handlers=False, listen_notify=False
            )

    asyncio.run(work())


def states() -> list[tuple[str, int]]:
    return list(ProcrastinateJob.objects.order_by("pk").values_list("status", "attempts"))


def test_every_kind_of_job_has_a_queue_of_its_own_that_workers_name() -> None:
    own = {name: task.queue for name, task in app.tasks.items() if task.queue != "builtin"}
    assert {name.rpartition(".")[2]: name for name in own} == {
        queue: name for name, queue in own.items()
    }
    assert set(app.worker_defaults["queues"]) == {"builtin", *own.values()}


@pytest.mark.usefixtures("queue")
def test_a_job_of_a_release_to_come_waits_for_its_workers() -> None:
    app.configure_task("a_task_to_come", queue="to_come", allow_unknown=True).defer()
    work_once()
    assert states() == [("todo", 0)]


@pytest.mark.usefixtures("queue")
def test_a_worker_that_is_stopped_ends_its_job_first(board: Board, tmp_path: Path) -> None:
    with running("run_worker", tmp_path) as worker:
        with marks_held_up():
            write(Note(board=board, text="Milk"))
            write(Note(board=board, text="Bread"))
            write(Note(board=board, text="Cheese"))
            eventually(is_held_up)
            assert (tmp_path / "pulse").exists()
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(timeout=1)
        assert worker.wait(timeout=10) == 0
    assert sorted(states()) == [("succeeded", 1), ("succeeded", 1), ("todo", 0)]
    assert BoardDay.objects.get().notes == 2


@pytest.mark.usefixtures("queue")
def test_the_job_of_a_worker_that_was_killed_is_done_by_another_once(
    board: Board, tmp_path: Path
) -> None:
    with running("run_worker", tmp_path) as worker, marks_held_up():
        write(Note(board=board, text="Milk"))
        eventually(is_held_up)
        worker.kill()
        worker.wait()
    retry_stalled.defer(timestamp=0)
    work_once()
    assert states()[0][0] == "doing"  # it may still be at work for all that anyone knows

    query(
        "UPDATE procrastinate_workers SET last_heartbeat ="  # noqa: S608
        f" last_heartbeat - interval '{STALLED_AFTER + 1} seconds'"
    )
    retry_stalled.defer(timestamp=1)
    work_once()
    work_once()
    assert states()[0] == ("succeeded", 2)
    assert BoardDay.objects.get().notes == 1


@pytest.mark.usefixtures("queue")
def test_a_job_that_workers_vanish_by_is_given_up(board: Board) -> None:
    write(Note(board=board, text="Milk"))
    query(f"UPDATE procrastinate_jobs SET status = 'doing', attempts = {MOST_TRIES}")  # noqa: S608
    retry_stalled.defer(timestamp=0)
    work_once()
    assert states()[0] == ("failed", MOST_TRIES + 1)


@pytest.mark.usefixtures("queue")
def test_one_scheduler_is_at_work_and_the_other_takes_over(tmp_path: Path) -> None:
    def holders() -> list[tuple[object, ...]]:
        return query(f"SELECT pid {SCHEDULERS}")

    first_home, second_home = tmp_path / "first", tmp_path / "second"
    first_home.mkdir()
    second_home.mkdir()
    with running("run_scheduler", first_home) as first:
        eventually(ProcrastinateJob.objects.exists)
        holder = holders()
        with running("run_scheduler", second_home) as second:
            eventually((second_home / "pulse").exists)
            assert len(holder) == 1
            assert holders() == holder
            first.kill()
            eventually(lambda: holders() not in ([], holder))
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=10) == 0
    eventually(lambda: not holders())


@pytest.mark.usefixtures("queue")
def test_a_scheduler_that_loses_its_connection_ends(tmp_path: Path) -> None:
    with running("run_scheduler", tmp_path) as scheduler:
        eventually(ProcrastinateJob.objects.exists)
        query(f"SELECT pg_terminate_backend(pid) {SCHEDULERS}")
        assert scheduler.wait(timeout=10) == 1
        assert scheduler.stderr is not None
        assert "the database went away" in scheduler.stderr.read()


def test_the_schedule_is_one_that_procrastinate_takes() -> None:
    found = schedule.registry().periodic_tasks.values()
    assert {each.task for each in found} == set(schedule.SCHEDULE.values())
    assert all(each.croniter for each in found)
    assert not app.periodic_registry.periodic_tasks


def test_the_pulse_goes_with_the_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pulse, "FILE", tmp_path / "pulse")
    monkeypatch.setattr(pulse, "EVERY", 0.01)
    answers = iter([True, False, True])

    async def ask() -> None:
        if not next(answers):
            raise ConnectionError

    async def beat() -> None:
        await asyncio.wait_for(pulse.beat(ask), timeout=0.2)

    assert not pulse.is_there()
    # The end of the answers ends the beating too, which is not what `ask` can do elsewhere.
    with pytest.raises((TimeoutError, RuntimeError)):
        asyncio.run(beat())
    assert pulse.is_there()
    os.utime(pulse.FILE, (0, time.time() - pulse.TOO_OLD - 1))
    assert not pulse.is_there()


@pytest.mark.usefixtures("queue")
def test_the_report(board: Board) -> None:
    def report(*options: str) -> dict[str, object]:
        out = StringIO()
        call_command("jobs_report", *options, stdout=out)
        found: dict[str, object] = json.loads(out.getvalue())
        return found

    for _ in range(3):
        write(Note(board=board, text="Milk"))
    with pytest.raises(CommandError, match="3 jobs are not done yet"):
        report("--wait", "0.01")
    assert report()["missing"] == 3
    work_once()
    assert report() == {
        "jobs": {"succeeded": 3},
        "waiting": 0,
        "tries": {"1": 3},
        "notes": 3,
        "counted": 3,
        "missing": 0,
        "twice": 0,
    }
    BoardDay.objects.update(notes=4)
    assert report()["twice"] == 1
