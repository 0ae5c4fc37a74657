"""A file on trial: what was there before comes back, whoever ends the trial, and only once."""

from __future__ import annotations

import getpass
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import guard
from ansible_collections.slipway.stack.plugins.module_utils.guard import Change, GuardError

TIMER = "systemd-run"


@pytest.fixture(autouse=True)
def timers(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Note the timers that would be set instead of setting them."""
    begun: list[list[str]] = []
    really = subprocess.run

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if command[0] in {TIMER, "systemctl"}:
            begun.append(command)
            return subprocess.CompletedProcess(command, 0, "", "")
        return really(command, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "run", run)
    return begun


@pytest.fixture
def change(tmp_path: Path) -> Change:
    (tmp_path / "file").write_text("old\n")
    (tmp_path / "file").chmod(0o640)
    return Change(
        name="ssh",
        path=tmp_path / "file",
        content="new\n",
        owner=getpass.getuser(),
        mode=0o644,
        checks=[["grep", "-q", "new", str(tmp_path / "file")]],
        apply=[["cp", str(tmp_path / "file"), str(tmp_path / "obeyed")]],
        undo=[["rm", str(tmp_path / "obeyed")]],
        show=["cat", str(tmp_path / "obeyed")],
        lines=["NEW"],
        trials=tmp_path / "trials",
    )


def altered(change: Change, **fields: object) -> Change:
    return replace(change, **fields)  # type: ignore[arg-type]


def test_kept_file_stays_and_is_not_due_again(change: Change) -> None:
    assert guard.is_due(change)
    guard.begin(change)
    guard.keep(change)
    assert change.path.read_text() == "new\n"
    assert stat.S_IMODE(change.path.stat().st_mode) == 0o644
    assert not guard.is_due(change)
    assert list(change.trials.iterdir()) == []


def test_timer_is_set_before_anything_changes(change: Change, timers: list[list[str]]) -> None:
    with pytest.raises(GuardError):
        guard.begin(altered(change, checks=[["false"]]))
    begun = next(command for command in timers if command[0] == TIMER)
    assert begun[-1] == str(change.folder / "take-back")


def test_file_that_was_taken_back_is_the_former_one_with_its_mode(change: Change) -> None:
    guard.begin(change)
    guard.take_back(change)
    assert change.path.read_text() == "old\n"
    assert stat.S_IMODE(change.path.stat().st_mode) == 0o640
    assert (change.path.parent / "obeyed").read_text() == "old\n"
    assert guard.is_due(change)


def test_file_that_did_not_exist_goes_and_is_undone(change: Change) -> None:
    change.path.unlink()
    guard.begin(change)
    assert (change.path.parent / "obeyed").exists()
    guard.take_back(change)
    assert not change.path.exists()
    assert not (change.path.parent / "obeyed").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"checks": [["false"]]},
        {"apply": [["false"]]},
        {"lines": ["something else"]},
        {"checks": [["no-such-program"]]},
    ],
)
def test_file_that_the_host_refuses_is_taken_back(
    change: Change, fields: dict[str, object]
) -> None:
    broken = altered(change, **fields)
    if "apply" in fields:
        with pytest.raises(GuardError):
            guard.begin(broken)
    else:
        with pytest.raises(GuardError, match="is as it was"):
            guard.begin(broken)
    assert change.path.read_text() == "old\n"


def test_proof_that_comes_after_the_timer_keeps_nothing(change: Change) -> None:
    guard.begin(change)
    subprocess.run(["/bin/sh", change.folder / "take-back"], check=True)
    with pytest.raises(GuardError, match="took"):
        guard.keep(change)
    assert change.path.read_text() == "old\n"


def test_timer_that_comes_after_the_proof_takes_nothing_back(change: Change) -> None:
    guard.begin(change)
    script = (change.folder / "take-back").read_text()
    guard.keep(change)
    subprocess.run(["/bin/sh", "-c", script], check=True)
    assert change.path.read_text() == "new\n"


def test_trial_that_nobody_ended_is_due_and_begins_with_the_former_file(change: Change) -> None:
    guard.begin(change)
    assert guard.is_due(change)
    guard.begin(change)
    assert (change.folder / "before").read_text() == "old\n"
    guard.keep(change)
    assert change.path.read_text() == "new\n"


def test_file_in_place_that_the_host_does_not_obey_is_named(change: Change) -> None:
    guard.begin(change)
    guard.keep(change)
    (change.path.parent / "obeyed").write_text("other\n")
    with pytest.raises(GuardError, match="NEW"):
        guard.must_obey(change)
