"""The process on the host: what it refuses, and that it always writes down how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import runner
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.freeze import Freeze, set_freeze
from ansible_collections.slipway.stack.plugins.module_utils.job import (
    ROLLBACK,
    JobDirectory,
    new_job,
)
from ansible_collections.slipway.stack.plugins.module_utils.lock import Holder, held_by, holding
from ansible_collections.slipway.stack.plugins.module_utils.probe import Entrance, ProbeFigures
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    SERVING,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import probe_token

from tests.unit.release.fakes import NEW, OLD, STACK
from tests.unit.roll.stage import KilledError, Stage, staged

# What the runner says is not heard by the stage: whatever is judged, is judged in no phase.
ANY_PHASE = ""
WARM = {"before": [], "after": [{"name": "warm", "timeout": 60}, {"name": "tell", "timeout": 60}]}


class Run:
    """A host on which jobs are done by the runner itself."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        self.stage = stage
        self.given: list[Any] = []
        patch.setattr(runner, "Engine", lambda: stage.engine)
        patch.setattr(runner, "active_address", lambda: "192.0.2.1")
        patch.setattr(runner, "Proxy", lambda _: stage.proxy)
        patch.setattr(runner, "Trial", self.trial)
        patch.setattr(runner, "Clock", stage.time.clock)

    def trial(self, *parts: Any) -> Any:
        self.given = list(parts)
        return self.stage.trial

    def __call__(self, release_id: str = NEW, **changes: Any) -> dict[str, Any]:
        """Do a job, and return the result that it left."""
        self.place: JobDirectory = new_job(self.stage.job(release_id, **changes))
        runner.main(str(self.place.path))
        return self.result()

    def result(self) -> dict[str, Any]:
        found = self.place.result()
        assert found is not None
        return found


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(stage, monkeypatch)


@pytest.fixture
def warm(stage: Stage) -> None:
    """Have two commands come after the switch, as the plan notes them."""
    stage.new.pending = ["warm", "tell"]
    stage.directory.write_manifest(stage.new)


def frozen(stage: Stage) -> None:
    set_freeze(stage.directory, Freeze("the fair", "ada", "2026-11-22T18:00:00Z"))


def newer_run(stage: Stage) -> None:
    stage.old.actor = {"run_number": 9, "run_url": "https://ci.example.com/9"}
    stage.directory.write_manifest(stage.old)


@contextmanager
def busy(stage: Stage) -> Iterator[None]:
    holder = Holder(action="deploy", release=OLD, who="bob", run="12", since="")
    with holding(stage.directory, holder, wait=0, clock=Clock(), progress=lambda _: None):
        yield


def assert_refused(stage: Stage, result: dict[str, Any], reason: str) -> None:
    """Nothing was touched, and the release holds no addresses any more."""
    assert not result["ok"]
    assert reason in result["message"]
    assert result["message"].endswith(f"{OLD} serves.")
    assert stage.events == []
    refused = stage.directory.manifest(NEW)
    assert refused.outcome == FAILED
    assert reason in refused.reason
    assert refused.finished
    assert stage.directory.manifest(OLD).outcome == SERVING


# well -------------------------------------------------------------------------------------------


def test_a_job_that_ends_well_leaves_its_report(run: Run, stage: Stage) -> None:
    result = run()
    assert (result["ok"], result["message"]) == (True, "")
    assert (result["report"]["old"], result["report"]["new"]) == (OLD, NEW)
    assert stage.directory.serving() == NEW
    lines = [(line["phase"], line["event"]) for line in run.place.progress()]
    assert lines[:3] == [("lock", "begin"), ("lock", "end"), ("pull", "begin")]
    assert lines[-1] == ("prune", "end")


def test_the_prober_asks_the_hosts_own_door_with_the_hosts_own_token(
    run: Run, stage: Stage
) -> None:
    stage.new.domain = "shop.example.com"
    stage.directory.write_manifest(stage.new)
    run()
    token = probe_token(stage.directory.key.read_bytes(), STACK)
    assert Entrance("127.0.0.1", 443, "shop.example.com", token) in run.given


def test_whoever_looks_sees_who_rolls_what(run: Run, stage: Stage) -> None:
    seen: list[Holder | None] = []
    stage.engine.step = lambda _: seen.append(held_by(stage.directory.lock))
    run(actor={"who": "ada", "run_number": 7, "run_url": "https://ci.example.com/7"})
    (holder,) = set(seen)
    assert holder
    assert (holder.action, holder.release, holder.who) == ("deploy", NEW, "ada")
    assert holder.run == "https://ci.example.com/7"
    assert held_by(stage.directory.lock) is None


# what is refused --------------------------------------------------------------------------------


def test_a_plan_that_is_stale_is_refused(run: Run, stage: Stage) -> None:
    result = run(expected="20261121-000000-aaaaaaaa")
    assert_refused(stage, result, "Another deploy came first")
    assert f"planned to replace 20261121-000000-aaaaaaaa, but {OLD} serves" in result["message"]
    assert result["stale"]


def test_an_older_run_with_a_stale_plan_is_overtaken(run: Run, stage: Stage) -> None:
    newer_run(stage)
    result = run(expected="20261121-000000-aaaaaaaa")
    assert result["overtaken"]
    assert "stale" not in result


def test_a_plan_to_finish_what_serves_is_never_stale(run: Run, stage: Stage) -> None:
    run()
    assert run(expected=OLD)["ok"]


@pytest.mark.parametrize(
    ("hinder", "consent", "reason"),
    [
        (frozen, {"ignore_freeze": True}, "is frozen by ada since 2026-11-22T18:00:00Z: the fair"),
        (newer_run, {"allow_older_run": True}, "CI run 9 (https://ci.example.com/9)"),
    ],
)
def test_a_freeze_and_an_older_run_are_refused_unless_told(
    run: Run, stage: Stage, hinder: Any, consent: dict[str, Any], reason: str
) -> None:
    hinder(stage)
    assert_refused(stage, run(), reason)
    stage.new.outcome = PREPARED
    stage.directory.write_manifest(stage.new)
    assert run(**consent)["ok"]


def test_a_result_says_that_a_newer_run_came_first(run: Run, stage: Stage) -> None:
    newer_run(stage)
    assert run()["overtaken"]
    frozen(stage)
    assert run()["overtaken"]
    stage.new.outcome = PREPARED
    stage.directory.write_manifest(stage.new)
    assert "overtaken" not in run(allow_older_run=True)


@pytest.mark.parametrize("hinder", [frozen, newer_run])
def test_a_rollback_is_not_refused(run: Run, stage: Stage, hinder: Any) -> None:
    hinder(stage)
    stage.new.outcome = RETIRED
    stage.directory.write_manifest(stage.new)
    assert run(action=ROLLBACK)["ok"]


def test_a_stack_that_is_busy_is_refused_with_who_holds_it(run: Run, stage: Stage) -> None:
    with busy(stage):
        result = run()
    assert_refused(stage, result, "is busy")
    assert "bob" in result["message"]


def test_the_lock_is_free_after_a_failure(run: Run, stage: Stage) -> None:
    stage.engine.failing["up"] = "no"
    assert not run()["ok"]
    with busy(stage):
        pass


# what fails -------------------------------------------------------------------------------------


def test_a_release_that_fails_is_told_with_what_serves(run: Run, stage: Stage) -> None:
    stage.trial.bad[ANY_PHASE] = "it is bad"
    result = run()
    assert result == {"ok": False, "message": f"it is bad\n{OLD} serves."}
    assert stage.directory.manifest(NEW).reason == "it is bad"


def test_a_first_release_that_fails_is_told_too(run: Run, stage: Stage) -> None:
    stage.nothing_serves()
    stage.engine.failing["pull"] = "no such image"
    assert run()["message"] == "no such image\nNo release serves."


def test_commands_that_fail_afterwards_fail_the_job_but_not_the_release(
    run: Run, stage: Stage, warm: None
) -> None:
    stage.engine.ended = lambda: 3
    result = run(commands=WARM)
    assert not result["ok"]
    assert "The command 'warm' of stack_commands ended with code 3" in result["message"]
    assert "The command 'tell' of stack_commands ended with code 3" in result["message"]
    assert "The next deploy of this release runs it again" in result["message"]
    assert result["message"].endswith(f"{NEW} serves.")
    assert result["report"]["new"] == NEW
    assert stage.directory.manifest(NEW).outcome == SERVING
    assert stage.directory.manifest(NEW).pending == ["warm", "tell"]


def test_commands_afterwards_run_when_the_old_release_is_gone(
    run: Run, stage: Stage, warm: None
) -> None:
    assert run(commands=WARM)["ok"]
    assert stage.events.index(f"rm {OLD}") < stage.events.index(f"start shop-{NEW}-warm")
    assert run.place.progress()[-1]["phase"] == "tell"
    assert stage.directory.manifest(NEW).pending == []


def commands_run(stage: Stage) -> list[str]:
    started = [call[1].rpartition("-")[2] for call in stage.engine.calls if call[0] == "start"]
    return [name for name in started if name.isalpha()]


def test_only_commands_that_have_not_ended_well_run_when_a_deploy_finishes(
    run: Run, stage: Stage, warm: None
) -> None:
    codes = [3, 0]
    stage.engine.ended = lambda: codes.pop(0) if codes else 0
    assert not run(commands=WARM | {"before": []})["ok"]
    assert stage.directory.manifest(NEW).pending == ["warm"]
    stage.engine.calls.clear()
    assert run(commands=WARM)["ok"]
    assert commands_run(stage) == ["warm"]
    assert stage.directory.manifest(NEW).pending == []


def test_a_deploy_that_finishes_keeps_the_figures_of_the_roll_that_proved_the_release(
    run: Run, stage: Stage, warm: None
) -> None:
    stage.engine.ended = lambda: 3
    run(commands=WARM)
    proved = stage.directory.manifest(NEW)
    stage.trial.counted = ProbeFigures()
    run(commands=WARM)
    assert stage.directory.manifest(NEW) == proved


def test_a_rollback_leaves_commands_to_the_next_deploy(run: Run, stage: Stage, warm: None) -> None:
    stage.engine.ended = lambda: 3
    run(commands=WARM)
    stage.engine.calls.clear()
    assert run(action=ROLLBACK, commands={"before": [], "after": []})["ok"]
    assert commands_run(stage) == []
    assert stage.directory.manifest(NEW).pending == ["warm", "tell"]


def test_commands_afterwards_run_wherever_the_process_was_killed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the switch on; each of them ends well once, and runs twice at most."""

    def prepared(host: Path) -> tuple[Stage, Run]:
        stage = staged(host, monkeypatch)
        stage.new.pending = ["warm", "tell"]
        stage.directory.write_manifest(stage.new)
        return stage, Run(stage, monkeypatch)

    whole, run = prepared(tmp_path / "whole")
    run(commands=WARM)
    switched = whole.moments.index("after shop.yml") + 1
    for moment in range(switched, len(whole.moments) + 1):
        stage, run = prepared(tmp_path / str(moment))
        stage.last_moment = moment
        with pytest.raises(KilledError):
            run(commands=WARM)
        stage.last_moment = None
        if stage.directory.manifest(NEW).pending:
            assert run(commands=WARM)["ok"]
        assert stage.directory.manifest(NEW).pending == []
        for name in ("warm", "tell"):
            assert 1 <= commands_run(stage).count(name) <= 2


def test_what_the_prober_lost_at_the_very_end_fails_the_job(
    run: Run, stage: Stage, warm: None
) -> None:
    stage.trial.lost = ["/api: cut"]
    result = run(commands=WARM)
    assert not result["ok"]
    assert "The prober lost: /api: cut" in result["message"]
    assert f"start shop-{NEW}-warm" in stage.events  # what comes afterwards came all the same


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), OSError(28, "No space left")])
def test_an_error_that_nobody_foresaw_leaves_a_result(
    run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(stage.trial, "smoke", broken)
    foreseen = isinstance(error, OSError)
    try:
        run()
    except ZeroDivisionError:
        assert not foreseen
    result = run.result()
    assert not result["ok"]
    assert str(error) in result["message"]
    assert ("Traceback" in result["message"]) != foreseen
    assert stage.directory.manifest(NEW).outcome == FAILED


def test_no_secret_gets_into_the_result(run: Run, stage: Stage) -> None:
    secrets = stage.directory.release(NEW) / "secrets" / "backend"
    secrets.mkdir(parents=True)
    (secrets / "key").write_text("hunter2")
    stage.trial.bad[ANY_PHASE] = "its last lines: hunter2"
    assert "its last lines: ********" in run()["message"]


# a result in any case ---------------------------------------------------------------------------


def test_a_routes_file_that_was_edited_by_hand_leaves_a_result(run: Run, stage: Stage) -> None:
    place = stage.job()
    stage.directory.routes.write_text("http: {}\n")
    run.place = new_job(place)
    runner.main(str(run.place.path))
    assert "It was edited by hand" in run.result()["message"]
    assert stage.events == []


def test_a_manifest_that_cannot_be_read_leaves_a_result(run: Run, stage: Stage) -> None:
    (stage.directory.release(NEW) / "manifest.json").write_text("{")
    assert "manifest.json cannot be read" in run()["message"]


def test_a_release_that_was_taken_away_meanwhile_leaves_a_result(run: Run, stage: Stage) -> None:
    stage.directory.release(NEW).rename(stage.directory.root / "gone")
    assert "manifest.json cannot be read" in run()["message"]


# what serves ------------------------------------------------------------------------------------


def test_a_release_that_serves_keeps_its_addresses_though_its_roll_cannot_be_finished(
    run: Run, stage: Stage
) -> None:
    """A failed release's addresses are free for the next one."""
    del stage.engine.there[f"shop-{OLD}-frontend-1"]
    del stage.engine.there[f"shop-{OLD}-scheduler-1"]
    stage.engine.add_release(stage.new)
    stage.serve(NEW)
    stage.missing[f"shop-{NEW}-worker-1"] = "never"
    result = run()
    assert "was not healthy" in result["message"]
    assert result["message"].endswith(f"{NEW} serves.")
    assert stage.directory.manifest(NEW).outcome == PREPARED
    assert stage.containers(OLD)
