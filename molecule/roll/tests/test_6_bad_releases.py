"""Releases that are bad: the old one keeps its visitors, or has them back, and the bill is counted.

Their faults lie in the overlay molecule/shared/overlays/load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench.load import Load
from bench.site import Site, cost

PER_SECOND = 30
BACK_SECONDS = 15
# Seconds after which an answer of this site, which needs a tenth of one, costs a visitor something.
LONGEST = 2.0
BADLY = {"errors": "errors:{}:100", "slow": "slow:{}:3", "crash": "crash:{}"}


def test_release_that_never_gets_healthy_is_not_met_by_any_visitor(
    site: Site, impatient: dict[str, Any], tell: Callable[[str], None]
) -> None:
    before = site.serves()
    with Load(site.visitor(), PER_SECOND) as load:
        run = site.bad_deploy("unhealthy-never", stack_services=impatient)
    assert not run.ok
    assert "was not healthy within 10 seconds" in run.output, run.output
    assert load.lost == [], load.summary()
    assert {record.release for record in load.records} == {before["release"]}
    assert site.serves() == before
    tell(f"never healthy: 0 of {len(load.records)} requests")


def test_release_that_answers_500_while_healthy_is_not_met_by_any_visitor(
    site: Site, tell: Callable[[str], None]
) -> None:
    before = site.serves()
    with Load(site.visitor(), PER_SECOND) as load:
        run = site.bad_deploy("500-while-healthy")
    assert not run.ok
    assert "does not answer through Traefik" in run.output, run.output
    assert "answered 500" in run.output
    assert load.lost == [], load.summary()
    assert {record.release for record in load.records} == {before["release"]}
    assert site.serves() == before
    tell(f"500 while healthy: 0 of {len(load.records)} requests")


@pytest.mark.parametrize("way", BADLY)
@pytest.mark.parametrize(
    "after", [1, *(pytest.param(n, marks=pytest.mark.in_full) for n in (10, 30))]
)
def test_release_that_turns_bad_after_the_switch_loses_its_visitors_to_the_old_one(
    site: Site, way: str, after: int, tell: Callable[[str], None]
) -> None:
    before = site.serves()
    with Load(site.visitor(), PER_SECOND) as load:
        fault = BADLY[way].format(after)
        run = site.bad_deploy(fault, stack_soak_seconds=after + BACK_SECONDS)
    assert not run.ok, run.output
    assert "Last lines of" in run.output, "it shows what the release wrote last"
    costly = cost(load.records, longest=LONGEST)
    switched = site.progress().when("switch", "begin")
    assert [record for record in costly if record.begun < switched] == []
    assert costly, "it was met by visitors"
    turned, last = (of(record.begun for record in costly) for of in (min, max))
    assert last - turned <= BACK_SECONDS
    assert site.serves() == before
    assert load.records[-1].release == before["release"]
    assert site.history()[-1]["outcome"] == "failed"
    tell(
        f"{way} {turned - switched:.1f} s after the switch: {len(costly)} of {len(load.records)} "
        f"requests in {last - turned:.1f} s, {len(load.lost)} of them lost; "
        f"{site.history()[-1]['reason'].splitlines()[0][:200]}"
    )
