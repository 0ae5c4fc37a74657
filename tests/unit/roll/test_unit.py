"""The process on the host as a systemd unit: how it is started, found and followed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import launch, unit
from ansible_collections.slipway.stack.plugins.module_utils.job import (
    JobDirectory,
    new_job,
    put_job,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

from tests.unit.release.fakes import NEW, STACK
from tests.unit.roll.stage import Stage

PREFIX = "ansible_collections.slipway.stack.plugins.module_utils"


class Systemd:
    """Answers as systemd does: `active` names the units that run."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.active: set[str] = set()
        self.problem: Exception | None = None
        self.code = 0

    def __call__(self, command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(command))
        if self.problem:
            raise self.problem
        state = "active" if command[-1] in self.active else "inactive"
        return subprocess.CompletedProcess(command, self.code, f"{state}\n", "no such thing\n")


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    found = Systemd()
    monkeypatch.setattr(unit, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": found}))
    return found


@pytest.fixture
def place(stage: Stage) -> JobDirectory:
    return new_job(stage.job())


# launch -----------------------------------------------------------------------------------------


def test_the_process_is_a_unit_named_after_stack_and_job(
    systemd: Systemd, place: JobDirectory
) -> None:
    launch.start(place, STACK)
    (call,) = systemd.calls
    assert call[0] == "systemd-run"
    assert f"--unit=slipway-roll-{STACK}-{place.path.name}.service" in call
    assert call[-5:] == [sys.executable, "-S", "-m", f"{PREFIX}.runner", str(place.path)]


def test_code_from_an_archive_is_copied_to_the_job_and_runs_from_there(
    systemd: Systemd, place: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "module.zip"
    archive.write_bytes(b"code")
    monkeypatch.setattr(launch, "own_code", lambda: archive)
    launch.start(place, STACK)
    assert place.code.read_bytes() == b"code"
    assert f"--setenv=PYTHONPATH={place.code}" in systemd.calls[0]
    follower = launch.follower(place, STACK)
    assert f"PYTHONPATH={place.code}" in follower
    assert follower[-3:] == [f"{PREFIX}.follow", str(place.path), STACK]


def test_code_from_a_directory_runs_where_it_is(systemd: Systemd, place: JobDirectory) -> None:
    launch.start(place, STACK)
    assert not place.code.exists()
    assert f"--setenv=PYTHONPATH={launch.own_code()}" in systemd.calls[0]
    assert (launch.own_code() / "ansible_collections" / "slipway").is_dir()


def test_what_follows_a_job_says_how_it_stands(place: JobDirectory) -> None:
    place.say("pull", "begin")
    place.finish({"ok": True})
    done = subprocess.run(
        [*launch.follower(place, STACK), "0"], capture_output=True, text=True, check=True
    )
    assert '"phase": "pull"' in done.stdout
    assert '"result": {"ok": true}' in done.stdout


# alive ------------------------------------------------------------------------------------------


def test_a_process_is_alive_while_its_unit_is_active(systemd: Systemd, place: JobDirectory) -> None:
    assert not unit.alive(place, STACK)
    systemd.active = {unit.unit_name(STACK, place.path.name)}
    assert unit.alive(place, STACK)


def test_a_systemd_that_refuses_or_does_not_answer_is_told(
    systemd: Systemd, place: JobDirectory
) -> None:
    systemd.code = 1
    with pytest.raises(ReleaseError, match="'systemd-run' failed: no such thing"):
        launch.start(place, STACK)
    systemd.problem = FileNotFoundError("systemctl")
    with pytest.raises(ReleaseError, match="systemd does not answer to 'systemctl'"):
        unit.alive(place, STACK)


# running ----------------------------------------------------------------------------------------


def found(stage: Stage, wanted: Callable[[Any], bool] = lambda _: True) -> tuple[str, str] | None:
    job = unit.running(stage.directory, wanted)
    return (job[0], job[1].id) if job else None


def test_a_job_under_way_is_found_by_what_it_brings(
    systemd: Systemd, stage: Stage, place: JobDirectory
) -> None:
    systemd.active = {unit.unit_name(STACK, place.path.name)}
    assert found(stage) == (place.path.name, NEW)
    assert found(stage, lambda _: False) is None


def test_a_job_that_ended_died_or_cannot_be_read_is_not_under_way(
    systemd: Systemd, stage: Stage, place: JobDirectory
) -> None:
    assert found(stage) is None
    systemd.active = {unit.unit_name(STACK, place.path.name)}
    (place.path / "job.json").write_text("{")
    assert found(stage) is None
    place.finish({"ok": False})
    assert found(stage) is None


# what is kept -----------------------------------------------------------------------------------


@pytest.fixture
def old_jobs(stage: Stage) -> list[str]:
    """Leave three jobs of long ago too many, all of which ended; return their ids."""
    names = [f"20260101-0000{number:02d}-aaaa" for number in range(unit.JOBS_KEPT + 2)]
    for name in names:
        (stage.directory.jobs / name).mkdir(parents=True)
        JobDirectory(stage.directory.jobs / name).finish({"ok": True})
    return names


def kept(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.directory.jobs.iterdir())


def test_the_oldest_jobs_are_dropped_before_another_comes(
    systemd: Systemd, stage: Stage, old_jobs: list[str]
) -> None:
    unit.drop_old(stage.directory)
    assert kept(stage) == old_jobs[3:]
    new_job(stage.job())
    assert len(kept(stage)) == unit.JOBS_KEPT
    assert systemd.calls == []


def test_an_old_job_that_was_killed_is_dropped_and_one_that_runs_is_not(
    systemd: Systemd, stage: Stage, old_jobs: list[str]
) -> None:
    for name in old_jobs[:2]:
        (stage.directory.jobs / name / "result.json").unlink()
    systemd.active = {unit.unit_name(STACK, old_jobs[1])}
    unit.drop_old(stage.directory)
    assert kept(stage) == [old_jobs[1], *old_jobs[3:]]


def test_a_job_that_another_deploy_drops_at_the_same_time_is_no_failure(
    systemd: Systemd, stage: Stage, old_jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropped(path: Path) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(shutil, "rmtree", dropped)
    unit.drop_old(stage.directory)


def test_where_no_job_was_nothing_is_dropped(systemd: Systemd, stage: Stage) -> None:
    unit.drop_old(stage.directory)
    assert not stage.directory.jobs.exists()


# none -------------------------------------------------------------------------------------------


def test_a_stack_without_jobs_has_none_under_way(systemd: Systemd, stage: Stage) -> None:
    assert found(stage) is None
    assert systemd.calls == []


# flips of Traefik's slots -----------------------------------------------------------------------


def test_a_flip_is_a_unit_of_no_stack(systemd: Systemd, tmp_path: Path) -> None:
    place = put_job(tmp_path / "jobs", {"subnet": "10.213.0.0/24"})
    launch.start(place, "", "flip")
    (call,) = systemd.calls
    assert f"--unit=slipway-flip-{place.path.name}.service" in call
    assert call[-2:] == [f"{PREFIX}.flip", str(place.path)]
    assert launch.follower(place, "")[-2:] == [str(place.path), ""]
    systemd.active = {f"slipway-flip-{place.path.name}.service"}
    assert unit.alive(place, "")
