"""Going back by hand: to a release that is kept, at once, and with no registry to ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.load import Load
from bench.shell import BenchError
from bench.site import Site

PER_SECOND = 30
SERVES_SECONDS = 10
REACH = "import socket; socket.create_connection(('registry.slipway.test', 5000), 2)"


def earlier(site: Site) -> str:
    """Return a kept release that has served and does not now, the newest first."""
    now = site.serves()["release"]
    return next(
        entry["release"]
        for entry in reversed(site.history())
        if entry["outcome"] == "serving" and entry["release"] != now
    )


@contextmanager
def without_registry(site: Site) -> Iterator[None]:
    """Let nothing through from the host to the registry, as if it had gone."""
    rule = "add chain inet away out { type filter hook output priority 0; }"
    for words in ("add table inet away", rule, "add rule inet away out tcp dport 5000 drop"):
        site.run("nft", words)
    try:
        with pytest.raises(BenchError):
            site.run("python3", "-c", REACH)
        yield
    finally:
        site.run("nft", "delete", "table", "inet", "away")


def test_kept_release_serves_within_ten_seconds_without_the_registry_and_nothing_is_lost(
    site: Site, tell: Callable[[str], None]
) -> None:
    target = earlier(site)
    with without_registry(site), Load(site.visitor(), PER_SECOND) as load:
        begun = time.time()
        run = site.rollback(target)
    assert run.ok, run.output
    assert load.lost == [], load.summary()
    first = min(record.begun for record in load.records if record.release == target)
    confirmed = site.progress().when("confirm", "end")
    assert {one.release for one in load.records if one.begun > confirmed} == {target}
    seconds = site.history()[-1]["seconds"]
    tell(
        f"the old release answered {first - begun:.1f} s after ansible-playbook began, "
        f"and {first - site.progress().working[0]:.1f} s after the roll did; 0 of "
        f"{len(load.records)} requests lost; seconds: {seconds}"
    )
    assert first - begun <= SERVES_SECONDS
    assert "migrate" not in seconds
    assert site.serves()["release"] == target


def test_release_that_is_not_kept_is_refused_with_those_that_are(site: Site) -> None:
    before, jobs = site.serves(), site.jobs()
    run = site.rollback("20200101-000000-00000000")
    assert not run.ok
    assert run.changed == 0
    assert "No release with the id or version '20200101-000000-00000000'" in run.output
    assert "Kept, and able to serve" in run.output, run.output
    assert (site.serves(), site.jobs()) == (before, jobs)


def test_list_of_releases_says_what_serves_and_what_became_of_each_roll(site: Site) -> None:
    serves = site.serves()
    run = site.environment.playbook("playbooks/releases.yml")
    assert run.ok, run.output
    assert run.changed == 0
    lines = [line.strip(" '\"-") for line in run.output.splitlines()]
    mark = [line for line in lines if line.startswith("* ")]
    assert len(mark) == 1
    assert serves["release"] in mark[0]
    assert serves["version"] in mark[0]
    assert "run 12" in mark[0]
    rolls = site.history()
    assert {"deploy", "rollback"} <= {entry["action"] for entry in rolls}
    for entry in rolls[-5:]:
        assert any(
            entry["at"] in line and entry["release"] in line and entry["outcome"] in line
            for line in lines
        ), (entry, run.output)
        assert entry["probe"]["asked"] > 0
