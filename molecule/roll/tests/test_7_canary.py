"""A release that is let in step by step: each visitor sees one release, and few see a bad one."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.load import Load
from bench.playbooks import Run
from bench.site import Beside, Site
from bench.tallies import between

PERCENT = 5
PHASE = f"canary {PERCENT} %"
VISITORS, VISITORS_IN_SHORT = 1000, 150
# Seconds of one step; nearly all visitors are to come within it.
STEP, STEP_IN_SHORT = 120, 12
VISITS, AT_ONCE = 2, 8
PER_SECOND = 40
PATHS = ("/", "/version", "/api/boards/")
RELEASE = "X-Slipway-Release"


@dataclass(frozen=True)
class Seen:
    """The releases that one visitor met, and until when on the wall clock."""

    releases: frozenset[str]
    until: float


def visit(site: Site, number: int) -> Seen:
    """Look at pages and API twice with a cookie jar of one's own, each visitor in another order."""
    visitor = site.visitor()
    start = number % len(PATHS)
    found = set()
    for path in (*PATHS[start:], *PATHS[:start]) * VISITS:
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        found.add(answer.headers[RELEASE])
    visitor.session.close()
    return Seen(frozenset(found), time.time())


def draws(site: Site, beside: Beside) -> None:
    """Wait until visitors are drawn, which shows in their cookies."""
    beside.wait(PHASE, "begin")
    bound = time.monotonic() + 5
    while time.monotonic() < bound:
        if site.visitor().get("/").cookies:
            return
    raise AssertionError("nobody is drawn")


def most(count: int) -> float:
    """Return how many of so many are drawn at most, but for one case in ten thousand."""
    share = PERCENT / 100
    return count * share + 4 * math.sqrt(count * share * (1 - share)) + 1


def test_each_visitor_of_a_canary_sees_one_release_on_pages_and_api(
    site: Site, rounds: int, tell: Callable[[str], None]
) -> None:
    visitors, step = (VISITORS, STEP) if rounds > 1 else (VISITORS_IN_SHORT, STEP_IN_SHORT)
    old, version = site.serves(), site.other_version()

    def deploy() -> Run:
        return site.deploy(
            stack_version=version, stack_canary=[PERCENT, 100], stack_soak_seconds=step
        )

    with Beside(site, deploy) as beside:
        draws(site, beside)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            seen = list(pool.map(lambda number: visit(site, number), range(visitors)))
    assert beside.run.ok, beside.run.output
    new, switched = site.serves(), site.progress().when("switch", "begin")
    in_time = [one.releases for one in seen if one.until < switched]
    met = Counter(in_time)
    by_old, by_new = (met[frozenset({one["release"]})] for one in (old, new))
    tell(f"canary of {PERCENT} %: of {len(in_time)} visitors {by_old} saw the old release alone")
    tell(f"and {by_new} the new one alone; {len(seen) - len(in_time)} came too late to be judged")
    assert by_old + by_new == len(in_time), met
    assert len(in_time) > visitors / 2, "the step was too short"
    assert by_new <= most(len(in_time))


def test_bad_canary_goes_back_and_costs_no_more_than_its_share(
    site: Site, tell: Callable[[str], None]
) -> None:
    before = site.serves()
    with Load(site.visitor(), PER_SECOND) as load:
        run = site.bad_deploy("errors:1:100", stack_canary=[PERCENT, 100], stack_soak_seconds=20)
    assert not run.ok, run.output
    progress = site.progress()
    assert progress.at("switch", "begin") is None, "it never got beyond its first step"
    begun, back = progress.when(PHASE, "begin"), progress.when("back", "end")
    met = between(load.records, begun, back)
    tell(
        f"bad canary of {PERCENT} %: {len(load.lost)} of {len(met)} requests in the "
        f"{back - begun:.1f} s until it was gone"
    )
    assert len(load.lost) == sum(bool(record.lost) for record in met), load.summary()
    assert len(load.lost) <= most(len(met)), load.summary()
    assert site.serves() == before
    assert load.records[-1].release == before["release"]
