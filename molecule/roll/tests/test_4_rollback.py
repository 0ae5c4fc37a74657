"""A stack that people have frozen: no deploy gets in, and the way back stays open.

Back to a release that is kept, at once, and with no registry to ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.load import Load
from bench.shell import BenchError
from bench.site import Site

REASON = "Black Friday"
PER_SECOND = 30
SERVES_SECONDS = 10
REACH = "import socket; socket.create_connection(('registry.slipway.test', 5000), 2)"


@pytest.fixture(scope="module", autouse=True)
def _frozen(site: Site) -> Iterator[None]:
    """Freeze the stack while these tests run."""
    run = site.environment.playbook(
        "playbooks/freeze.yml", freeze_reason=REASON, stack_actor="somebody"
    )
    assert run.ok, run.output
    yield
    run = site.environment.playbook("playbooks/unfreeze.yml")
    assert run.ok, run.output


@contextmanager
def without_registry(site: Site) -> Iterator[None]:
    """Let nothing through from the host to the registry, as if it had gone."""
    chain = "add chain inet away out { type filter hook output priority 0; }"
    for words in ("add table inet away", chain, "add rule inet away out tcp dport 5000 drop"):
        site.run("nft", words)
    try:
        with pytest.raises(BenchError):
            site.run("python3", "-c", REACH)
        yield
    finally:
        site.run("nft", "delete", "table", "inet", "away")


def test_deploy_is_refused_by_the_freeze_s_reason_and_as_an_older_run_than_the_one_that_serves(
    site: Site,
) -> None:
    before, jobs = site.serves(), site.jobs()
    # The inventory's is 12.
    run = site.deploy(stack_version=site.other_version(), stack_run_number=11)
    assert not run.ok
    assert run.changed == 0
    assert REASON in run.output
    assert "by somebody since" in run.output, run.output
    assert "playbooks/unfreeze.yml" in run.output
    assert "CI run 12" in run.output
    assert "stack_allow_older_run" in run.output
    assert (site.serves(), site.jobs()) == (before, jobs)


def test_release_before_serves_within_ten_seconds_without_the_registry_and_nothing_is_lost(
    site: Site, tell: Callable[[str], None]
) -> None:
    before = site.serves()
    with without_registry(site), Load(site.visitor(), PER_SECOND) as load:
        begun = time.time()
        run = site.rollback()
    assert run.ok, run.output
    assert load.lost == [], load.summary()
    target = site.serves()["release"]
    assert target < before["release"]
    first = min(record.begun for record in load.records if record.release == target)
    progress = site.progress()
    confirmed = progress.when("confirm", "end")
    assert {one.release for one in load.records if one.begun > confirmed} == {target}
    tell(
        f"rollback: the old release answered {first - begun:.1f} s after ansible-playbook began, "
        f"{first - progress.working[0]:.1f} s after the roll did; 0 of {len(load.records)} "
        f"requests lost"
    )
    assert first - begun <= SERVES_SECONDS
    entry = site.history()[-1]
    assert (entry["action"], entry["release"]) == ("rollback", target)
    assert "migrate" not in entry["seconds"]


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
    (mark,) = [line for line in lines if line.startswith("* ")]
    assert serves["release"] in mark
    assert serves["version"] in mark
    assert "run 12" in mark
    rolls = site.history()[-5:]
    assert {"deploy", "rollback"} == {entry["action"] for entry in rolls}
    for entry in rolls:
        assert any(
            entry["at"] in line and entry["release"] in line and entry["outcome"] in line
            for line in lines
        ), (entry, run.output)
