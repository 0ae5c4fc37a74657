"""Deploys under the load that `make soak` asks with, a short sample of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.site import Site
from bench.soak import VARIABLES, Size, report, under_load

SAMPLE = Size(deploys=2, requests=3000, rate=60, idle_seconds=8)


def test_deploys_under_load_lose_nothing_and_each_answer_is_of_the_release_that_serves(
    site: Site, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    turns = [
        {
            "stack_version": "roll-1",
            "stack_environment": {**VARIABLES["stack_environment"], "BENCH_TURN": turn},
        }
        for turn in ("a", "b")
    ]
    outcome = under_load(site, turns, SAMPLE, tmp_path)
    for line in report(outcome):
        tell(line)
    assert outcome.lost == []
    assert outcome.broken == []
