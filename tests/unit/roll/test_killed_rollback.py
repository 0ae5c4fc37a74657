"""A rollback killed at any moment: somebody serves, and running it again finishes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.job import ROLLBACK
from ansible_collections.slipway.stack.plugins.module_utils.plan import NOTHING
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RETIRED,
    ROLLED_BACK,
    SERVING,
)
from ansible_collections.slipway.stack.plugins.module_utils.rollback import plan_rollback

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.killing import assert_serves_alone, deploy, killed_at
from tests.unit.roll.stage import OLD_IMAGES, Stage, staged
from tests.unit.roll.stand_ins import AtLast, AtOnce

POOLS = [AtOnce, AtLast]


def deployed(stage: Stage) -> Stage:
    """Have the new release serve and the old one kept, with the registry gone."""
    stage.engine.images.update(OLD_IMAGES.values())
    stage.roll()
    stage.engine.failing["pull"] = "the registry is down"
    stage.moments.clear()
    stage.said.clear()
    return stage


def roll_back(stage: Stage) -> None:
    """Run playbooks/rollback.yml without naming a release."""
    plan = plan_rollback(stage.directory, stage.engine, "")
    if plan.action != NOTHING:
        stage.roll(plan.manifest.id, action=ROLLBACK)


def moments(stage: Stage) -> range:
    roll_back(stage)
    return range(1, len(stage.moments) + 1)


def test_visitors_do_not_wait_for_the_workers_of_a_rollback(stage: Stage) -> None:
    deployed(stage)
    stage.roll(OLD, action=ROLLBACK, canary=[5, 100])
    assert stage.phases() == [
        *("create", "start", "healthy", "smoke", "switch", "confirm", "workers"),
        *("soak", "handover", "drain", "stop", "record", "prune"),
    ]
    assert_serves_alone(stage, OLD)


@pytest.mark.parametrize("pool", POOLS)
def test_a_rollback_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce]
) -> None:
    """It goes back one release, however often it has to be run."""
    whole = deployed(staged(tmp_path / "whole", monkeypatch, pool))
    for moment in moments(whole):
        stage = deployed(staged(tmp_path / str(moment), monkeypatch, pool))
        killed_at(stage, moment, lambda: roll_back(stage))  # noqa: B023 - it is called at once
        ended = stage.directory.manifest(OLD).outcome == SERVING
        if not ended:
            roll_back(stage)
        assert stage.directory.manifest(NEW).outcome == ROLLED_BACK
        stage.roll(OLD, action=ROLLBACK)
        assert_serves_alone(stage, OLD)


def test_a_deploy_after_a_rollback_that_was_killed_converges_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = deployed(staged(tmp_path / "whole", monkeypatch))
    for moment in moments(whole):
        stage = deployed(staged(tmp_path / str(moment), monkeypatch))
        killed_at(stage, moment, lambda: roll_back(stage))  # noqa: B023 - it is called at once
        stage.engine.failing.clear()
        stage.said.append(("", "", ""))
        assert_serves_alone(stage, deploy(stage))


@pytest.mark.parametrize("bad", ["smoke", "soak", "drain"])
def test_a_bad_rollback_leaves_what_served_and_can_be_tried_again(stage: Stage, bad: str) -> None:
    deployed(stage)
    stage.trial.bad[bad] = "it is bad"
    with pytest.raises(Exception, match="it is bad"):
        roll_back(stage)
    assert_serves_alone(stage, NEW)
    assert stage.directory.manifest(OLD).outcome == RETIRED
    stage.trial.bad.clear()
    roll_back(stage)
    assert_serves_alone(stage, OLD)
