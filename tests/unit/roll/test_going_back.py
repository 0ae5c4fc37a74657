"""A release that fails, wherever it does: the old one serves, and what happened is written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import release, switch
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    SERVING,
    ReleaseError,
)

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import Stage, staged
from tests.unit.roll.stand_ins import AtLast, AtOnce

CANARY: dict[str, Any] = {"canary": [5, 100]}
SOON = 1.0  # seconds


def container(name: str, release_id: str = NEW) -> str:
    return f"shop-{release_id}-{name}"


def fails(verb: str) -> Callable[[Stage], None]:
    return lambda stage: stage.engine.failing.update({verb: "it is bad"})


def bad(phase: str) -> Callable[[Stage], None]:
    return lambda stage: stage.trial.bad.update({phase: "it is bad"})


def unhealthy(name: str) -> Callable[[Stage], None]:
    return lambda stage: stage.missing.update({container(name): "it is bad"})


def command_fails(stage: Stage) -> None:
    stage.engine.ended = lambda: 1
    stage.engine.log = "it is bad"


def template(stage: Stage) -> None:
    path = stage.directory.release(NEW) / "routes.yml"
    path.write_text(path.read_text().replace("websecure", "{{ it is bad"))


BEFORE = {
    "pull": fails("pull"),
    "command": command_fails,
    "command that cannot start": fails("start"),
    "tag": fails("tag"),
    "start": fails("up"),
    "healthy": unhealthy("backend-2"),
    "template": template,
    "smoke": bad("smoke"),
    "workers": unhealthy("worker-1"),
}
AFTER = {
    "canary": bad("canary 5 %"),
    "soak": bad("soak"),
    "singleton": unhealthy("scheduler-1"),
    "drain": bad("drain"),
}


def assert_old_serves_alone(stage: Stage) -> None:
    """Look whether the old release is as it was, the new one gone, and the record says why."""
    stage.look()
    assert stage.proxy.ways == {OLD}
    routes = (stage.directory.release(OLD) / "routes.yml").read_text()
    assert stage.directory.routes.read_text() == routes
    assert not stage.directory.private_routes.exists()
    assert stage.containers(NEW) == []
    assert sorted(stage.engine.running()) == sorted(stage.containers(OLD))
    assert len(stage.containers(OLD)) == 5
    assert stage.directory.manifest(OLD).outcome == SERVING
    failed = stage.directory.manifest(NEW)
    assert failed.outcome == FAILED
    assert failed.finished
    (line,) = stage.history()
    assert (line["release"], line["from"], line["outcome"]) == (NEW, OLD, FAILED)
    assert line["reason"] == failed.reason


@pytest.mark.parametrize("reason", BEFORE)
def test_a_failure_before_the_switch_leaves_the_old_release_alone(
    stage: Stage, reason: str
) -> None:
    BEFORE[reason](stage)
    with pytest.raises(ReleaseError):
        stage.roll(**CANARY)
    assert_old_serves_alone(stage)
    assert not [event for event in stage.events if event.startswith("switch")]
    assert f"stop {OLD}" not in stage.events
    told = "for a template" if reason == "template" else "it is bad"
    assert told in stage.directory.manifest(NEW).reason


@pytest.mark.parametrize("pool", [AtOnce, AtLast])
@pytest.mark.parametrize("reason", AFTER)
def test_a_failure_under_visitors_goes_back_to_the_old_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, pool: type[AtOnce]
) -> None:
    stage = staged(tmp_path, monkeypatch, pool)
    AFTER[reason](stage)
    with pytest.raises(ReleaseError, match="it is bad"):
        stage.roll(**CANARY)
    assert_old_serves_alone(stage)
    assert "it is bad" in stage.directory.manifest(NEW).reason
    assert stage.trial.expected[-1] is None
    assert stage.phases()[-1] == "back"


def test_routes_that_traefik_does_not_take_are_put_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(path: Path, text: str) -> None:
        stage.publish(path, text)
        if path == stage.directory.routes:
            stage.proxy.polls = 10_000 if stage.directory.serving() == NEW else 0

    monkeypatch.setattr(switch, "publish_routes", stubborn)
    with pytest.raises(ReleaseError, match=r"within 15 seconds: its API shows other routers"):
        stage.roll()
    assert_old_serves_alone(stage)
    switches = [event for event in stage.events if event.startswith("switch")]
    assert switches == [f"switch {NEW}", f"switch {OLD}"]
    assert stage.time.seconds == pytest.approx(15.1, abs=0.2)


def test_an_error_that_nobody_foresaw_goes_back_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.trial, "watch", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stage.roll()
    assert_old_serves_alone(stage)
    assert "division by zero" in stage.directory.manifest(NEW).reason


def test_a_bad_release_is_left_at_once_and_taken_away_when_it_is_drained(stage: Stage) -> None:
    stage.trial.bad["soak"] = "it is bad"
    back: list[float] = []
    stage.time.on_pause = lambda now: back.append(now) if stage.phase == "back" else None
    stage.open = [1] * 10
    with pytest.raises(ReleaseError):
        stage.roll()
    end = stage.events[stage.events.index("watch 30") :]
    order = [f"switch {OLD}", f"confirm {OLD}", f"stop {NEW}", f"start {OLD}", "gauge", f"rm {NEW}"]
    assert sorted(order, key=end.index) == order
    assert back[0] < SOON


def test_a_handover_that_cannot_stop_the_old_workers_fails_the_release(stage: Stage) -> None:
    def stop(names: list[str]) -> str:
        del stage.engine._stop  # noqa: SLF001 - only once
        raise EngineError("it hangs")

    stage.engine._stop = stop  # type: ignore[method-assign,assignment]  # noqa: SLF001
    with pytest.raises(ReleaseError, match="it hangs"):
        stage.roll()
    assert_old_serves_alone(stage)


def test_a_worker_that_a_handover_stopped_works_again(stage: Stage) -> None:
    stage.trial.bad["soak"] = "it is bad"
    with pytest.raises(ReleaseError):
        stage.roll()
    assert f"stop {OLD}" in stage.events
    assert {container("worker-1", OLD), container("scheduler-1", OLD)} <= stage.engine.running()


def test_a_command_that_ended_long_ago_is_not_started_again(stage: Stage) -> None:
    stage.engine.create(stage.directory.release(OLD), ["warm"], timeout=1)
    stage.trial.bad["soak"] = "it is bad"
    with pytest.raises(ReleaseError):
        stage.roll()
    assert container("warm", OLD) not in stage.engine.running()


# the first release ------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["healthy", "smoke", "singleton"])
def test_a_first_release_that_fails_leaves_nothing(stage: Stage, reason: str) -> None:
    stage.nothing_serves()
    {**BEFORE, **AFTER}[reason](stage)
    stage.proxy.published = lambda: None  # type: ignore[method-assign]  # nobody to go back to
    stage.look = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ReleaseError, match="it is bad"):
        stage.roll()
    assert stage.directory.serving() is None
    assert not stage.directory.private_routes.exists()
    assert stage.engine.names() == []
    assert stage.directory.manifest(NEW).outcome == FAILED


# a way back that is not there -------------------------------------------------------------------


def bad_and(stage: Stage, **changes: Any) -> str:
    """Roll a bad release; return what the operator reads."""
    stage.trial.bad["soak"] = "it is bad"
    with pytest.raises(ReleaseError, match="it is bad") as caught:
        stage.roll(**changes)
    return str(caught.value)


def test_while_traefik_may_still_lead_to_the_new_release_it_stays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(path: Path, text: str) -> None:
        stage.publish(path, text)
        stage.proxy.polls = 10_000 if "watch 30" in stage.events else 0

    monkeypatch.setattr(switch, "publish_routes", publish)
    told = bad_and(stage)
    assert "Going back did not end; the next deploy does the rest: Traefik did not take" in told
    assert stage.directory.serving() == OLD
    assert {container("backend-1"), container("frontend-1")} <= stage.engine.running()
    assert container("scheduler-1") not in stage.engine.running()
    assert container("scheduler-1", OLD) in stage.engine.running()
    assert stage.directory.manifest(NEW).reason == told


def test_a_way_back_that_cannot_be_written_leaves_the_new_release_serving(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(path: Path, text: str) -> None:
        if "watch 30" in stage.events:
            raise OSError(28, "No space left on device")
        stage.publish(path, text)

    monkeypatch.setattr(switch, "publish_routes", publish)
    assert "No space left on device" in bad_and(stage)
    stage.look()
    assert stage.directory.serving() == NEW
    assert stage.directory.manifest(NEW).outcome == PREPARED  # or its addresses would be free
    assert container("scheduler-1") in stage.engine.running()


def test_containers_that_cannot_be_removed_are_told(stage: Stage) -> None:
    stage.missing[container("backend-1")] = "never"
    stage.engine.failing["rm"] = "the engine hangs"
    with pytest.raises(ReleaseError, match="was not healthy") as caught:
        stage.roll(commands={})
    assert "the engine hangs" in str(caught.value)
    assert "the engine hangs" in stage.directory.manifest(NEW).reason


def test_a_failure_that_cannot_be_written_down_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "write_atomically", full)
    told = bad_and(stage)
    assert "This could not be written down: [Errno 28] No space left on device" in told
    assert stage.directory.serving() == OLD
