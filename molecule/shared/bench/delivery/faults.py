"""What must stop in the pipeline, and where; and runs that meet: the newest good commit wins."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from bench.delivery import act, copies, forgeries
from bench.delivery.act import Delivery, Result, commit_of, must, posted
from bench.delivery.copies import SERVER
from bench.engine import docker
from bench.shell import BenchError, say, step

STAGES: Final = ("Test", "Build", "Deploy to staging", "Deploy to production")
WAIT_SECONDS: Final = 900


@dataclass(frozen=True)
class Fault:
    """A commit that is bad: what it adds to which file, and the stage that must stop it."""

    title: str
    file: str
    text: str
    stage: str  # as jobs are called
    told: str  # as notices call it


FAULTS: Final = (
    Fault(
        "a frontend test that fails",
        "frontend/src/api.test.ts",
        "\ntest('fails', () => { expect(1).toBe(2) })\n",
        "Test (frontend-tests)",
        "test",
    ),
    Fault(
        "a backend test that fails",
        "backend/tests/test_api.py",
        "\n\ndef test_fails() -> None:\n    assert not HOST\n",
        "Test (backend-tests)",
        "test",
    ),
    Fault(
        "an image that does not build",
        "backend/Dockerfile",
        "RUN exit 3\n",
        "Build",
        "build",
    ),
    Fault(
        "a smoke test that fails on staging",
        "slipway.toml",
        '"/api/not-there/" = 200\n',  # any other path is a page of the SPA's
        "Deploy to staging",
        "staging",
    ),
)


def show(delivery: Delivery) -> None:
    """Show each fault, the recovery from them, runs that meet or are killed, and forgeries."""
    posted()
    for fault in FAULTS:
        with step(f"Stop {fault.title}"):
            stop(delivery, fault)
    with step("Recover"):
        must(delivery.run(copies.commit({}, "Repair")))
        told("recovered")
    for first in (True, False):
        with step(f"Let two runs meet, the {'older' if first else 'newer'} one first"):
            meet(delivery, older_first=first)
    with step("Kill a run in the middle of its deploy, and try it again"):
        kill(delivery)
    forgeries.show(delivery)


def stop(delivery: Delivery, fault: Fault) -> None:
    """Commit what is bad; it must fail where it should, go no further, and be told."""
    serving = commit_of("production")
    commit = copies.commit({fault.file: copies.read(fault.file) + fault.text}, fault.title)
    result = delivery.run(commit)
    copies.undo()
    if not result.failed(fault.stage):
        raise BenchError(f"{fault.title}: '{fault.stage}' did not fail, but: {result.jobs}")
    later = STAGES[next(n for n, one in enumerate(STAGES) if fault.stage.startswith(one)) + 1 :]
    if begun := [one for one in later if result.began(one)]:
        raise BenchError(f"{fault.title}: {', '.join(begun)} began all the same")
    if commit_of("production") != serving:
        raise BenchError(f"{fault.title}: production changed")
    told("failed", fault.told)


def told(status: str, stage: str = "") -> None:
    """Want exactly one notice since the last look."""
    notices = [(one["status"], one.get("stage", "")) for one in posted()]
    if notices != [(status, stage)]:
        raise BenchError(f"Expected one notice, {status} {stage}, but these came: {notices}")


def meet(delivery: Delivery, *, older_first: bool) -> None:
    """Start the runs of two commits a second apart; production must end on the newer one."""
    older, newer = copies.change(), copies.change()
    numbers = (delivery.number + 1, delivery.number + 2)
    delivery.number += 2
    runs = list(zip((older, newer), numbers, strict=True))
    results: list[Result] = []
    threads = []
    for commit, number in runs if older_first else reversed(runs):
        thread = threading.Thread(
            target=lambda *run: results.append(delivery.run(*run)), args=(commit, number)
        )
        thread.start()
        threads.append(thread)
        time.sleep(1)
    for thread in threads:
        thread.join()
    bad = [result for result in results if not result.ok]
    if bad or len(results) != len(runs):
        raise BenchError(f"Runs that met failed: {[(one.number, one.jobs) for one in bad]}")
    if commit_of("production") != newer:
        raise BenchError(f"{commit_of('production')} serves, not {newer}")
    say(f"     {newer[:8]} serves, of {older[:8]} and {newer[:8]}")


def kill(delivery: Delivery) -> None:
    """Kill a run while production rolls; the same run again must end on its commit."""
    commit = copies.change()
    number = delivery.number + 1
    thread = threading.Thread(target=delivery.run, args=(commit, number))
    thread.start()
    wait_for_roll("production", commit)
    act.kill(number)
    thread.join()
    must(delivery.run(commit, number))
    delivery.number = number
    if commit_of("production") != commit:
        raise BenchError(f"{commit_of('production')} serves, not {commit}")


def wait_for_roll(stack: str, commit: str) -> None:
    """Wait until a roll of the commit has begun on the server."""
    script = f"grep -l {commit} /srv/slipway/stacks/{stack}/releases/*/manifest.json || true"
    end = time.monotonic() + WAIT_SECONDS
    while not docker("exec", SERVER, "sh", "-c", script).strip():
        if time.monotonic() > end:
            raise BenchError(f"No roll of {commit} began within {WAIT_SECONDS} s")
        time.sleep(0.2)
