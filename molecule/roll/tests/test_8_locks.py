"""Several people at one stack at once: one works, the others wait or are told why not.

Nobody removes a lock by hand: the kernel does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import pytest
from bench.load import Load
from bench.playbooks import Run
from bench.site import Site

PER_SECOND = 20
# Between the first's beginning and another's, so that they meet at many points of each other.
APART_SECONDS = 6.0
# What one is told who is not alone.
TOLD = ("holds /", "came first", "is on its way")


@dataclass(frozen=True)
class Ended:
    """What became of one of them: whether it changed anything, and what it was told."""

    name: str
    run: Run

    def __str__(self) -> str:
        """Say it in a few words."""
        told = " (told of another)" if self.met_another else ""
        return f"{self.name} {'done' if self.run.ok else 'refused'}{told}"

    @property
    def met_another(self) -> bool:
        """Whether it was told of another."""
        return any(words in self.run.output for words in TOLD)


def earlier(site: Site) -> str:
    """Return a kept release that has served, and does not now."""
    kept = set(site.run("ls", f"/srv/slipway/stacks/{site.stack}/releases").split())
    kept -= {site.serves()["release"]}
    served = [str(one["release"]) for one in site.history() if one["outcome"] == "serving"]
    return next(one for one in reversed(served) if one in kept)


def actions(site: Site, number: int, *, tags: str) -> dict[str, Callable[[], Run]]:
    """Return what people do at the same time; `number` makes it other releases each round."""
    version, target = site.other_version(), earlier(site)

    def setting(name: str) -> dict[str, str]:
        return {"ROUND": f"{name} {number} {time.time_ns()}"}

    return {
        "deploy": lambda: site.deploy(stack_version=version, stack_environment=setting("one")),
        "another deploy": lambda: site.deploy(stack_environment=setting("two")),
        "rollback": lambda: site.rollback(target),
        "provision": lambda: site.environment.playbook("playbooks/provision.yml", tags),
    }


def at_once(chosen: dict[str, Callable[[], Run]], seed: int) -> list[Ended]:
    """Do all of it, the first at once and the others a moment later."""
    source = random.Random(seed)  # noqa: S311 - a moment, not a secret

    def begin(name: str, pause: float) -> Ended:
        time.sleep(pause)
        return Ended(name, chosen[name]())

    with ThreadPoolExecutor(len(chosen)) as pool:
        pauses = [0.0, *(source.uniform(0, APART_SECONDS) for _ in chosen)]
        return list(pool.map(begin, chosen, pauses))


def judge(site: Site, before: list[str], ended: list[Ended]) -> None:
    """Assert that they took turns, and that each who was kept waiting or out was told why."""
    jobs = sorted(set(site.jobs()) - set(before))
    spans = sorted(
        progress.working for job in jobs if (progress := site.progress(job)).at("lock", "end")
    )
    for (_, end), (begin, _) in pairwise(spans):
        assert end <= begin, "two were at work at once"
    assert any(one.run.ok for one in ended), [one.run.output for one in ended]
    for one in ended:
        assert one.run.ok or one.met_another, f"{one.name}: {one.run.output}"
    serves = site.serves()["release"]
    assert f"# slipway release: {serves}" in site.run("cat", site.routes)
    running = site.run("docker", "ps", "--format", "{{.Names}}").split()
    foreign = [name for name in running if name.startswith("production-2") and serves not in name]
    assert foreign == []
    assert site.run("sh", "-c", "lslocks | grep -c /slipway/ || true").strip() == "0"


ALL_FOUR = ("deploy", "another deploy", "rollback", "provision")
PAIRS = [(ALL_FOUR[0], other) for other in ALL_FOUR[1:]]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(ALL_FOUR, marks=pytest.mark.in_short),
        *(pytest.param(pair, marks=pytest.mark.in_full) for pair in PAIRS),
    ],
    ids=" and ".join,
)
def test_at_once_they_take_turns_and_nothing_is_lost(
    site: Site, rounds: int, names: tuple[str, ...], tell: Callable[[str], None]
) -> None:
    for number in range(rounds):
        before = site.jobs()
        # It holds the host as well when it does a part of its work.
        known = actions(site, number, tags="--tags=data" if rounds == 1 else "--tags=all")
        with Load(site.visitor(), PER_SECOND) as load:
            ended = at_once({name: known[name] for name in names}, seed=number)
        judge(site, before, ended)
        assert load.lost == [], load.summary()
        went = ", ".join(map(str, ended))
        tell(f"round {number + 1}: {went}; 0 of {len(load.records)} requests lost")
