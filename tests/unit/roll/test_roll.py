"""A whole roll: what happens in which order, and what is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import assets
from ansible_collections.slipway.stack.plugins.module_utils.definition import SINGLETON_LABEL
from ansible_collections.slipway.stack.plugins.module_utils.job import ROLLBACK
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    RETIRED,
    ROLLED_BACK,
    SERVING,
    ReleaseError,
)
from ansible_collections.slipway.stack.plugins.module_utils.start import image_tag

from tests.unit.release.fakes import DIGESTS, NEW, OLD
from tests.unit.roll.stage import Stage, staged
from tests.unit.roll.stand_ins import AtLast


def before(stage: Stage, first: str, second: str) -> bool:
    """Tell whether the last event `first` comes before the first event `second`."""
    last = len(stage.events) - 1 - stage.events[::-1].index(first)
    return last < stage.events.index(second)


def container(name: str, release_id: str = NEW) -> str:
    return f"shop-{release_id}-{name}"


# the order --------------------------------------------------------------------------------------


def test_a_roll_has_its_phases_in_order_and_times_each(stage: Stage) -> None:
    report = stage.roll()
    assert stage.phases() == [
        *("pull", "create", "migrate", "start", "healthy", "smoke", "workers", "switch", "confirm"),
        *("soak", "handover", "drain", "stop", "record", "prune"),
    ]
    assert list(report.seconds) == stage.phases()
    assert report.seconds["soak"] == pytest.approx(30)


def test_an_image_that_somebody_else_uses_is_noted_and_the_roll_is_good(stage: Stage) -> None:
    stage.engine.failing["image rm"] = "conflict: unable to delete it, container 4f1c uses it"
    stage.roll(keep=1)
    notes = {text for phase, event, text in stage.said if (phase, event) == ("prune", "note")}
    assert notes
    assert all("container 4f1c uses it" in note for note in notes)
    assert stage.directory.ids() == [NEW]
    assert stage.directory.manifest(NEW).outcome == SERVING


def test_a_service_that_would_run_as_root_is_refused_before_anything_of_it_runs(
    stage: Stage,
) -> None:
    new = stage.directory.manifest(NEW)
    new.services["worker"]["uid"] = None
    new.write(stage.directory.release(NEW))
    stage.engine.roots = set(new.images.values())
    with pytest.raises(ReleaseError, match=r"stack_services\.worker\.uid"):
        stage.roll()
    assert stage.directory.serving() == OLD
    assert not any(event.startswith(("run", "up", "start")) for event in stage.events)


def test_only_the_new_release_is_left_and_serves(stage: Stage) -> None:
    stage.roll()
    assert stage.directory.serving() == NEW
    assert stage.containers(OLD) == []
    assert len(stage.engine.running()) == 5
    assert not stage.directory.private_routes.exists()


def test_the_release_is_healthy_and_asked_in_private_before_any_visitor_meets_it(
    stage: Stage,
) -> None:
    stage.roll()
    switch = f"switch {NEW}"
    assert before(stage, f"probe {container('frontend-1')}", f"private {OLD}")
    assert before(stage, f"private {OLD}", switch)
    assert before(stage, f"confirm {OLD}", switch)
    assert stage.phases().index("smoke") < stage.phases().index("switch")


def test_the_old_release_is_measured_right_before_the_switch(stage: Stage) -> None:
    stage.roll()
    assert before(stage, f"probe {container('worker-1')}", f"compare {OLD}")
    assert before(stage, f"compare {OLD}", f"switch {NEW}")


def test_the_old_release_goes_only_when_it_is_confirmed_soaked_and_drained(stage: Stage) -> None:
    stage.open = [2, 1, 1, 0]
    stage.roll()
    assert stage.open == []
    assert before(stage, f"switch {NEW}", f"confirm {NEW}")
    assert before(stage, f"confirm {NEW}", "watch 30")
    assert before(stage, "watch 30", "gauge")
    assert before(stage, "gauge", f"rm {OLD}")


def test_commands_run_after_the_pull_and_before_anything_starts(stage: Stage) -> None:
    stage.roll()
    last_pull = f"pull {max(DIGESTS.values())}"
    migrate = container("migrate")
    assert before(stage, last_pull, f"up {NEW}")
    assert before(stage, f"up {NEW}", f"start {migrate}")
    ended = len(stage.events) - 1 - stage.events[::-1].index(f"rm {migrate}")
    assert not [one for one in stage.events[:ended] if one.startswith(f"start {NEW}")]


def test_what_works_is_known_before_anything_runs(stage: Stage) -> None:
    stage.roll()
    known = stage.events.index("baseline")
    assert not [one for one in stage.events[:known] if one.startswith("start")]


def test_a_command_that_an_interrupted_deploy_left_is_made_anew(stage: Stage) -> None:
    stage.engine.create(stage.directory.release(NEW), ["migrate"], timeout=1)
    stage.roll()
    migrate = container("migrate")
    assert stage.events.index(f"rm {migrate}") < stage.events.index(f"start {migrate}")
    assert migrate not in stage.engine.names()


def test_images_are_named_after_the_release_before_anything_is_made_of_them(stage: Stage) -> None:
    stage.roll()
    for name in DIGESTS:
        assert before(stage, f"tag {image_tag(stage.new, name)}", f"up {NEW}")


def test_a_release_gives_way_to_what_serves_until_it_is_to_have_visitors_itself(
    stage: Stage,
) -> None:
    stage.roll()
    for name in ("backend-1", "frontend-1", "worker-1", "scheduler-1"):
        assert before(stage, f"up {NEW}", f"weigh {container(name)} 128")
        assert before(stage, f"weigh {container(name)} 128", f"probe {container('backend-1')}")
        assert before(stage, f"probe {container('worker-1')}", f"weigh {container(name)} 1024")
        assert before(stage, f"weigh {container(name)} 1024", f"switch {NEW}")


def test_what_visitors_wait_for_does_not_give_way(stage: Stage) -> None:
    stage.roll()
    del stage.events[:]
    stage.roll(OLD, action=ROLLBACK)
    assert not [event for event in stage.events if event.endswith(" 128")]
    assert set(stage.engine.weights.values()) == {1024}


def test_the_prober_wants_the_new_release_once_it_is_confirmed(stage: Stage) -> None:
    stage.roll()
    assert stage.trial.probed == [(NEW, OLD)]
    assert stage.trial.expected == [NEW]


# workers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [None, AtLast])
def test_old_workers_stop_after_the_confirmation_and_then_the_new_singletons_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtLast] | None
) -> None:
    stage = staged(tmp_path, monkeypatch, *[pool] if pool else [])
    stage.roll()
    starts = [call[1] for call in stage.engine.calls if call[0] == "start"]
    assert before(stage, f"confirm {NEW}", f"stop {OLD}")
    assert stage.events.index(f"stop {OLD}") < stage.events.index(
        f"probe {container('scheduler-1')}"
    )
    routed = [container(name) for name in ("backend-1", "backend-2", "frontend-1")]
    assert starts[0] == container("migrate")
    assert sorted(starts[1:4]) == routed
    assert starts[4:] == [container("worker-1"), container("scheduler-1")]


def test_the_handover_stops_what_visitors_do_not_reach_and_nothing_else(stage: Stage) -> None:
    stage.roll()
    stops = [call[1].removeprefix("id-of-") for call in stage.engine.calls if call[0] == "stop"]
    assert set(stops[:2]) == {container("scheduler-1", OLD), container("worker-1", OLD)}
    assert container("backend-1", OLD) in stops[2:]


def test_a_service_that_becomes_a_singleton_is_gone_before_it_starts_as_one(stage: Stage) -> None:
    # In the release before, it was a worker like others.
    old = stage.engine.there[container("scheduler-1", OLD)]["Config"]["Labels"]
    assert SINGLETON_LABEL not in old
    stage.roll()
    stopped = f"id-of-{container('scheduler-1', OLD)}"
    calls = stage.engine.calls
    assert calls.index(("stop", stopped)) < calls.index(("start", container("scheduler-1")))


def test_a_release_without_singletons_hands_over_too(stage: Stage) -> None:
    del stage.new.services["scheduler"]
    stage.directory.write_manifest(stage.new)
    stage.roll()
    assert stage.containers(OLD) == []
    assert len(stage.engine.running()) == 4


# the canary -------------------------------------------------------------------------------------


def test_a_canary_soaks_at_each_step_while_the_old_release_still_serves(stage: Stage) -> None:
    stage.roll(canary=[5, 25, 100])
    assert [phase for phase in stage.phases() if "canary" in phase] == ["canary 5 %", "canary 25 %"]
    switches = [event for event in stage.events if event.startswith(("switch", "watch"))]
    assert switches == [
        *(f"switch {OLD}", "watch 30", f"switch {OLD}", "watch 30"),
        *(f"switch {NEW}", "watch 30"),
    ]
    assert before(stage, f"compare {OLD}", f"switch {OLD}")
    assert before(stage, f"weigh {container('backend-1')} 1024", f"switch {OLD}")


def test_a_first_release_has_no_canary_and_no_soak(stage: Stage) -> None:
    stage.nothing_serves()
    report = stage.roll(canary=[5, 100])
    assert report.old is None
    assert not [event for event in stage.events if event.startswith("watch")]
    assert stage.directory.serving() == NEW
    assert len(stage.engine.running()) == 5
    assert stage.trial.probed == [(NEW, None)]


# what is written down ---------------------------------------------------------------------------


def test_the_report_says_from_where_to_where_and_what_the_prober_found(stage: Stage) -> None:
    stage.trial.lost = ["one"]
    report = stage.roll()
    assert (report.action, report.old, report.new) == ("deploy", OLD, NEW)
    assert (report.version, report.images) == ("1.4.1", DIGESTS)
    assert report.probe["asked"] == 100
    assert report.lost == ["one"]


def test_what_serves_and_what_no_longer_does_is_written_down(stage: Stage) -> None:
    stage.roll()
    new = stage.directory.manifest(NEW)
    assert (new.outcome, new.reason) == (SERVING, "")
    assert new.finished
    assert new.probe["asked"] == 100
    assert new.seconds["healthy"] == 0
    assert stage.directory.manifest(OLD).outcome == RETIRED


def test_the_history_gets_a_line(stage: Stage) -> None:
    stage.roll()
    (line,) = stage.history()
    expected: dict[str, Any] = {
        "action": "deploy",
        "release": NEW,
        "from": OLD,
        "version": "1.4.1",
        "images": DIGESTS,
        "actor": {"who": "ada", "run_number": 7},
        "outcome": SERVING,
        "reason": "",
    }
    assert expected.items() <= line.items()
    assert line["at"]
    assert line["probe"]["lost"] == 0
    assert line["seconds"]["soak"] == 30


# going back on purpose --------------------------------------------------------------------------


def test_a_rollback_runs_no_command_and_asks_no_registry(stage: Stage) -> None:
    stage.roll()
    stage.engine.failing["pull"] = "the registry is down"
    del stage.events[:]
    report = stage.roll(OLD, action=ROLLBACK)
    assert (report.action, report.old, report.new) == ("rollback", NEW, OLD)
    assert not [event for event in stage.events if event.startswith(("pull", "start migrate"))]
    assert stage.containers(NEW) == []
    outcomes = {one.id: one.outcome for one in stage.directory.manifests()}
    assert outcomes == {OLD: SERVING, NEW: ROLLED_BACK}
    assert [line["action"] for line in stage.history()] == ["deploy", "rollback"]


def test_a_rollback_that_fails_does_not_make_a_good_release_a_failed_one(stage: Stage) -> None:
    stage.roll()
    stage.trial.bad["smoke"] = "Traefik is out of reach"
    with pytest.raises(ReleaseError, match="out of reach"):
        stage.roll(OLD, action=ROLLBACK)
    outcomes = {one.id: one.outcome for one in stage.directory.manifests()}
    assert outcomes == {OLD: RETIRED, NEW: SERVING}
    last = stage.history()[-1]
    assert (last["release"], last["outcome"]) == (OLD, FAILED)
    assert "out of reach" in last["reason"]


# assets -----------------------------------------------------------------------------------------


def assets_stage(stage: Stage, **source: str) -> tuple[Path, Path]:
    """Give the new release a tree of assets, and the store a file of the old one."""
    stage.new.assets = {"static": {"owner": 10001, "from": source}}
    stage.directory.write_manifest(stage.new)
    tree = stage.directory.release(NEW) / "volumes" / "static"
    store = stage.directory.root / "volumes" / "static"
    for path in (tree, store):
        path.mkdir(parents=True)
    (tree / "new.1.js").write_text("new")
    (tree / "plain.txt").write_text("of the new release")
    (store / "plain.txt").write_text("of the old release")
    return tree, store


def test_new_files_are_there_before_the_switch_and_changed_ones_only_after_the_soak(
    stage: Stage,
) -> None:
    _, store = assets_stage(stage)
    seen: dict[str, tuple[bool, str]] = {}

    def note(_: str) -> None:
        found = ((store / "new.1.js").exists(), (store / "plain.txt").read_text())
        seen.setdefault(stage.phase, found)

    stage.engine.step = note
    stage.roll()
    assert "assets" in stage.phases()
    assert seen["start"] == (True, "of the old release")
    assert seen["stop"] == (True, "of the old release")
    assert (store / "plain.txt").read_text() == "of the new release"


def test_files_that_are_in_the_image_are_copied_out_of_it_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, store = assets_stage(stage, service="frontend", path="/srv/assets")
    copied: list[tuple[Any, ...]] = []

    def extract(_: Any, image: str, path: str, target: Path, **how: Any) -> int:
        copied.append((image, path, target, how["owner"]))
        (target / "copied.2.js").write_text("")
        return 1

    monkeypatch.setattr(assets, "extract", extract)
    stage.roll()
    assert copied == [(DIGESTS["frontend"], "/srv/assets", tree, 10001)]
    assert (store / "copied.2.js").exists()
