"""The timer's program removes what is over, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import (
    expiry,
    launch,
    lock,
    previews,
    removal,
)
from ansible_collections.slipway.stack.plugins.module_utils.previews import Preview
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.removal import Removal

from tests.unit.preview.conftest import archive_code
from tests.unit.preview.host import Host, Traefik
from tests.unit.release.fakes import FakeTime

NOW = datetime(2026, 12, 10, tzinfo=UTC)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    monkeypatch.setattr(expiry, "active_address", lambda: "192.0.2.1")
    monkeypatch.setattr(expiry, "Proxy", lambda _: Traefik(found))
    monkeypatch.setattr(removal, "PAGES", found.pages)
    return found


def preview(host: Host, stack: str, *, age: float, days: float = 7) -> None:
    """Put a preview on the host that is some days old; its release is older."""
    directory = host.add_stack(stack)
    created = (NOW - timedelta(days=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    one = Preview(stack, stack, "staging", f"{stack}.example.com", "", days, created, created)
    previews.write(directory, one)


def removed(host: Host) -> list[tuple[str, str]]:
    return list(expiry.removed(host.root, host, FakeTime().clock(), lambda: NOW))


def test_previews_whose_days_are_over_go_and_others_stay(host: Host) -> None:
    host.add_stack("staging")
    preview(host, "p-old", age=8)
    preview(host, "p-new", age=1)
    before = [host.left_of("staging"), host.left_of("p-new")]
    assert removed(host) == [("p-old", "")]
    assert host.left_of("p-old") == []
    assert [host.left_of("staging"), host.left_of("p-new")] == before
    assert removed(host) == []


def test_a_removal_that_was_broken_off_at_its_end_is_finished(host: Host) -> None:
    preview(host, "p-new", age=1)
    before = host.left_of("p-new")
    for name in (".p-old~", ".p-new~"):
        (host.root / name / "releases").mkdir(parents=True)
    assert removed(host) == [("p-new", ""), ("p-old", "")]
    assert host.left_of("p-old") == []
    assert host.left_of("p-new") == before


def test_a_deploy_that_renews_a_preview_meanwhile_keeps_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview(host, "p-a", age=8)
    before = host.left_of("p-a")
    hold = lock.holding_host

    def renewed_before_it_is_held(*given: Any, **settings: Any) -> Any:
        directory = StackDirectory(host.root, "p-a")
        record = previews.read(directory)
        assert record
        previews.write(directory, replace(record, renewed="2026-12-09T23:00:00Z"))
        return hold(*given, **settings)

    monkeypatch.setattr(expiry, "holding_host", renewed_before_it_is_held)
    assert removed(host) == []
    assert host.left_of("p-a") == before


def test_one_that_cannot_be_removed_keeps_no_other(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview(host, "p-a", age=8)
    preview(host, "p-b", age=8)
    run = Removal.run

    def fails(one: Removal) -> object:
        if one.stack == "p-a":
            raise ReleaseError("the engine does not answer")
        return run(one)

    monkeypatch.setattr(Removal, "run", fails)
    assert removed(host) == [("p-a", "the engine does not answer"), ("p-b", "")]


def test_a_record_that_cannot_be_read_is_told(host: Host) -> None:
    preview(host, "p-a", age=8)
    StackDirectory(host.root, "p-a").preview.write_text("")
    ((stack, problem),) = removed(host)
    assert stack == "p-a"
    assert "cannot be read" in problem


def test_the_program_runs_from_its_archive_alone(tmp_path: Path, archived: Path) -> None:
    archive = tmp_path / "previews.zip"
    launch.install(archive, launch.packed())
    done = subprocess.run(
        [sys.executable, "-S", "-m", expiry.__name__, str(tmp_path)],
        env={"PYTHONPATH": str(archive), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_same_code_makes_the_same_archive(archived: Path) -> None:
    first = launch.packed()
    archive_code(archived, year=2027)
    assert launch.packed() == first
