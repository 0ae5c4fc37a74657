"""Jobs that are enqueued while releases come and go: each is done, and done once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from bench.site import Beside, Site
from bench.visitor import Visitor

JOBS, DEPLOYS = 1000, 3
JOBS_IN_SHORT, DEPLOYS_IN_SHORT = 200, 1


def write_notes(visitor: Visitor, count: int, beside: Beside) -> None:
    """Write notes, each with its job, evenly over so much of the roll as is seen from here."""
    board = visitor.get("/api/boards/").json()["boards"][0]["id"]
    for number in range(count):
        note = {"text": f"job {time.time_ns()} {number}", "author": "jobs"}
        answer = visitor.ask("POST", f"/api/boards/{board}/notes/", json=note)
        assert answer.status_code == 201, answer.text
        if not beside.ended:
            time.sleep(0.05)


def report(site: Site) -> dict[str, Any]:
    """Wait until the queue is empty, and return what became of its jobs."""
    worker = f"production-{site.serves()['release']}-worker-1"
    said = site.run("docker", "exec", worker, "python", "manage.py", "jobs_report", "--wait", "60")
    found: dict[str, Any] = json.loads(said)
    return found


def schedulers(site: Site, since: float, until: float) -> list[tuple[float, str]]:
    """Return when schedulers started and ended on the host, in order."""
    lines = site.run(
        *("docker", "events", f"--since={since:.0f}", f"--until={until:.0f}"),
        *("--filter=event=start", "--filter=event=die", "--format={{json .}}"),
    ).splitlines()
    events = map(json.loads, lines)
    return sorted(
        (event["timeNano"] / 1e9, event["Action"])
        for event in events
        if event["Actor"]["Attributes"].get("io.slipway.service") == "scheduler"
    )


@pytest.mark.usefixtures("old_page")
def test_jobs_that_are_enqueued_during_deploys_are_each_done_once(
    site: Site, rounds: int, tell: Callable[[str], None]
) -> None:
    jobs, deploys = (JOBS, DEPLOYS) if rounds > 1 else (JOBS_IN_SHORT, DEPLOYS_IN_SHORT)
    changes = []
    before = report(site)
    for number in range(deploys):
        begun, version = time.time(), site.other_version()
        share = jobs // deploys + (number < jobs % deploys)
        with Beside(site, partial(site.deploy, stack_version=version)) as deploy:
            deploy.wait("healthy", "begin")
            write_notes(site.visitor(), share, deploy)
        assert deploy.run.ok, deploy.run.output
        # At once: the engine remembers only its last 256 events.
        changes += schedulers(site, begun, time.time())
    after = report(site)
    assert after["notes"] - before["notes"] == jobs
    assert after["counted"] - before["counted"] == jobs
    assert (after["missing"], after["twice"], after["waiting"]) == (0, 0, 0), after
    assert after["jobs"].get("failed", 0) == 0, after
    tell(f"{jobs} jobs over {deploys} deploys: each done once; by tries {after['tries']}")
    assert len(changes) == 2 * deploys, "one ended and one started in each deploy"
    assert all(one[1] != other[1] for one, other in pairwise(changes)), "never two of them"
    assert changes[0][1] == "die", "the old one ended before the new one started"
