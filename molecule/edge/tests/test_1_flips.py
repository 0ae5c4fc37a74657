"""Traefik is replaced under load: other versions, other static configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.edge import IMAGES, Edge, visited

RATE = 60
REQUESTS = 10_000
# Each is another version or another static configuration than the one before.
TURNS: list[tuple[str, dict[str, Any]]] = [
    ("3.7.13", {"traefik_image": IMAGES["3.7.13"]}),
    ("3.7.13", {"traefik_image": IMAGES["3.7.13"], "traefik_log_level": "WARN"}),
    ("3.7.15", {"traefik_log_level": "WARN"}),
    ("3.7.15", {}),
]


def test_unchanged_configuration_changes_nothing_and_starts_no_second_slot(edge: Edge) -> None:
    before, jobs = edge.slots(), edge.jobs()
    run = edge.change()
    assert run.ok, run.output
    assert run.changed == 0, run.output
    assert edge.slots() == before
    assert list(before) == [edge.active]
    assert edge.jobs() == jobs


def test_four_upgrades_and_changes_under_load_lose_no_request(
    edge: Edge, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with visited(tmp_path, rate=RATE) as load:
        for version, variables in TURNS:
            before = edge.active
            run = edge.change(**variables)
            assert run.ok, run.output
            assert edge.active == edge.recorded != before
            assert list(edge.slots()) == [edge.active]
            assert edge.version() == version
            tell(edge.report())
            assert " 0 lost," in run.output
    tell(f"{len(load.records)} requests, {len(load.lost)} lost, {len(TURNS)} flips")
    assert load.lost == []
    assert len(load.records) >= REQUESTS
