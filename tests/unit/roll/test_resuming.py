"""A roll after one that was interrupted: what it does again, and what it does not."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    SERVING,
    ReleaseError,
)

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import Stage

THIRD = "20261123-000000-cccccccc"
STRAY = "20261122-120000-00000000"


def container(name: str, release_id: str = NEW) -> str:
    return f"shop-{release_id}-{name}"


@pytest.fixture
def switched(stage: Stage) -> Stage:
    """Leave everything as a roll does that is killed right after the rename."""
    scheduler = container("scheduler-1", OLD)
    stage.engine.set_running(scheduler, running=False)
    stage.engine.add_release(stage.new)
    stage.engine.set_running(container("scheduler-1"), running=False)
    stage.engine.set_running(scheduler, running=True)
    stage.serve(NEW)
    return stage


def test_what_is_done_is_not_done_again(switched: Stage) -> None:
    report = switched.roll(canary=[5, 100])
    assert report.old == OLD
    assert switched.phases() == [
        *("create", "start", "healthy", "workers", "switch", "confirm"),
        *("soak", "handover", "drain", "stop", "record", "prune"),
    ]
    assert not [event for event in switched.events if event.startswith(("switch", "private"))]
    assert switched.directory.manifest(NEW).outcome == SERVING
    assert switched.directory.manifest(OLD).outcome == RETIRED


def test_the_old_release_is_drained_before_it_is_stopped(switched: Stage) -> None:
    switched.open = [1] * 3
    assert switched.roll().seconds["drain"] == pytest.approx(0.3)
    assert switched.events.index("gauge") < switched.events.index(f"rm {OLD}")


def test_a_container_that_was_restarted_while_it_served_does_not_hinder(switched: Stage) -> None:
    for name in switched.containers(NEW):
        switched.engine.there[name]["RestartCount"] = 2
        switched.engine.there[name]["State"]["OOMKilled"] = True
    switched.roll()
    assert switched.directory.manifest(NEW).outcome == SERVING


def test_a_container_of_what_serves_that_was_stopped_is_started_again(switched: Stage) -> None:
    switched.proxy.ways = set()  # visitors may well be without it
    switched.engine.set_running(container("backend-1"), running=False)
    switched.roll()
    assert container("backend-1") in switched.engine.running()


def test_a_bad_release_is_gone_back_from_while_the_old_one_is_warm(switched: Stage) -> None:
    switched.trial.bad["soak"] = "it is bad"
    switched.engine.set_running(container("worker-1", OLD), running=False)
    with pytest.raises(ReleaseError, match="it is bad"):
        switched.roll()
    assert switched.directory.serving() == OLD
    assert container("worker-1", OLD) in switched.engine.running()
    assert switched.directory.manifest(NEW).outcome == FAILED


def test_where_the_old_release_is_half_gone_there_is_no_soak_and_no_way_back(
    switched: Stage,
) -> None:
    switched.engine.there.pop(container("backend-2", OLD))
    assert switched.roll().old is None
    assert "soak" not in switched.phases()
    assert switched.containers(OLD) == []
    assert switched.directory.manifest(OLD).outcome == RETIRED


def test_what_serves_alone_and_cannot_be_finished_serves_on_as_it_is(switched: Stage) -> None:
    switched.engine.there.pop(container("backend-2", OLD))
    switched.missing[container("worker-1")] = "never"
    with pytest.raises(ReleaseError, match="was not healthy"):
        switched.roll()
    assert switched.directory.serving() == NEW
    assert len(switched.containers(NEW)) == 5
    assert switched.containers(OLD)
    assert switched.directory.manifest(NEW).outcome == PREPARED


# another release after an interrupted one -------------------------------------------------------


def test_a_release_that_served_unrecorded_is_retired_by_the_next(switched: Stage) -> None:
    switched.prepare(THIRD, bank=3)
    switched.roll(THIRD)
    outcomes = {one.id: one.outcome for one in switched.directory.manifests()}
    assert outcomes == {THIRD: SERVING, NEW: RETIRED, OLD: RETIRED}
    assert len(switched.engine.names()) == 5


def test_what_an_interrupted_roll_left_is_removed_before_anything_starts(stage: Stage) -> None:
    stage.engine.add(STRAY, "backend-1")
    stage.open = [1] * 3
    stage.roll()
    assert stage.events.index(f"confirm {OLD}") < stage.events.index(f"rm {STRAY}")
    assert stage.events.index("gauge") < stage.events.index(f"rm {STRAY}")
    assert stage.events.index(f"rm {STRAY}") < stage.events.index(f"up {NEW}")


def test_where_nothing_was_left_nobody_is_asked(stage: Stage) -> None:
    stage.roll()
    assert stage.events[0].startswith("pull")


def test_a_stopped_worker_of_what_serves_works_while_the_next_release_comes(stage: Stage) -> None:
    stage.engine.set_running(container("worker-1", OLD), running=False)
    stage.trial.bad["smoke"] = "it is bad"
    with pytest.raises(ReleaseError):
        stage.roll()
    assert container("worker-1", OLD) in stage.engine.running()
