"""Whose turn it is to plan."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    Holder,
    StackBusyError,
    held_by,
    holding,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan import FOLLOW, ROLL, Plan
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.turn import in_turn

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import Stage

ME = Holder(action="plan", release="", who="ada", run="", since="")
OTHER = Holder(action="deploy", release=OLD, who="bob", run="12", since="")


@pytest.fixture
def busy(stage: Stage) -> Iterator[None]:
    with holding(stage.directory, OTHER, wait=0, clock=Clock(), progress=lambda _: None):
        yield


def test_a_plan_is_made_while_nobody_rolls(stage: Stage) -> None:
    holders: list[str] = []

    def plan() -> Plan:
        holder = held_by(stage.directory.lock)
        holders.append(holder.who if holder else "")
        return Plan(ROLL, stage.new, OLD)

    assert in_turn(stage.directory, plan, ME, wait=0).action == ROLL
    assert holders == ["ada"]
    assert held_by(stage.directory.lock) is None


def test_a_deploy_of_the_same_that_is_under_way_is_followed_at_once(
    stage: Stage, busy: None
) -> None:
    found = in_turn(stage.directory, lambda: Plan(FOLLOW, stage.new, OLD), ME, wait=300)
    assert found.manifest.id == NEW


def test_another_deploy_that_is_under_way_is_waited_for(stage: Stage, busy: None) -> None:
    with pytest.raises(StackBusyError, match=r"is busy.*bob") as caught:
        in_turn(stage.directory, lambda: Plan(ROLL, stage.new, OLD), ME, wait=0)
    assert re.fullmatch(
        rf"the deploy of the stack 'shop' to {OLD} by bob \(CI run 12\), under way since .* holds "
        rf"{stage.directory.lock}",
        caught.value.by,
    )


def test_what_is_refused_while_another_deploy_runs_may_be_fine_afterwards(
    stage: Stage, busy: None
) -> None:
    def refused() -> Plan:
        raise ReleaseError("no address is free")

    with pytest.raises(ReleaseError, match="is busy"):
        in_turn(stage.directory, refused, ME, wait=0)
