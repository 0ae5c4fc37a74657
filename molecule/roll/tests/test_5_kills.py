"""SIGKILL for whoever deploys or rolls back, at any point: the site serves, a re-run finishes.

In short a few points, drawn by BENCH_SEED; in full all of them, and canaries too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from bench.kills import Outcome, Playbook, killed
from bench.points import WORKS, Boundary, Point, Step, Work, boundaries, newest_steps, points
from bench.site import Site

SEED = int(os.environ.get("BENCH_SEED", "1"))
SHORT: dict[str, Any] = {"stack_soak_seconds": 0}
IN_FULL: dict[str, Any] = {"stack_soak_seconds": 1, "stack_canary": [50, 100]}


def undisturbed(site: Site, work: Work) -> list[Step]:
    """Do the work to its end, and return the steps of its roll."""
    run = site.environment.playbook(work.playbook, **work.variables)
    assert run.ok is work.ok, run.output
    return newest_steps(site, work)


def tasks(site: Site, work: Work) -> list[Boundary]:
    """List the boundaries between the tasks by a run that only checks."""
    run = Playbook(site, work, "--check").ended()
    assert run.ok, run.output
    return boundaries(run.output)


def kill_at(
    site: Site, action: str, chosen: list[Point], tell: Callable[[str], None], **variables: Any
) -> list[Outcome]:
    """Kill an action at some points, one after the other, and show what each cost."""
    found = []
    for point in chosen:
        found.append(killed(site, WORKS[action](site, **variables), point))
        tell(f"{action}: {found[-1].row()}")
    return found


def judge(outcomes: list[Outcome], tell: Callable[[str], None]) -> None:
    """Assert that each kill went well, and show the sum."""
    bad = [one for one in outcomes if one.problems]
    asked, lost = (sum(getattr(one, name) for one in outcomes) for name in ("asked", "lost"))
    free, again = (max(getattr(one, name) for one in outcomes) for name in ("free", "again"))
    tell(
        f"{len(outcomes)} kills: {lost} of {asked} requests lost, locks free after {free:.2f} s at "
        f"most, re-run in {again:.1f} s at most, {len(bad)} not ok"
    )
    assert not bad, "\n".join(one.row() for one in bad)


@pytest.mark.in_short
def test_killed_at_points_drawn_by_lot_the_site_serves_and_a_plain_run_finishes(
    site: Site, tell: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a draw, not a secret
    victims = [("controller",), ("module", "session"), ("process",), ("both",)]
    chance.shuffle(victims)
    outcomes = []
    for action, some in (("deploy", victims[:2]), ("rollback", victims[2:])):
        work = WORKS[action](site, **SHORT)
        named = newest_steps(site, work) or undisturbed(site, work)
        known = list(points(tasks(site, work), named, chance))
        chosen = [chance.choice([one for one in known if one.victim in each]) for each in some]
        outcomes += kill_at(site, action, chosen, tell, **SHORT)
    judge(outcomes, tell)


@pytest.mark.in_full
@pytest.mark.parametrize("action", WORKS)
def test_killed_at_any_point_the_site_serves_and_a_plain_run_finishes(
    site: Site, action: str, tell: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a draw, not a secret
    work = WORKS[action](site, **IN_FULL)
    found = [] if work.first else tasks(site, work)
    known = list(points(found, undisturbed(site, work), chance))
    judge(kill_at(site, action, known, tell, **IN_FULL), tell)
