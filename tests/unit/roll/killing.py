"""Having a roll killed, and doing again what a plain run would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    containers_are_right,
    stack_containers,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    SERVING,
    free_bank,
)

from tests.unit.release.fakes import NEW, OLD, STACK
from tests.unit.roll.stage import KilledError, Stage


def deploy(stage: Stage, **changes: Any) -> str:
    """Deploy what NEW is, as a plain run does (see plan.make_plan); return what has to serve."""
    serving = stage.directory.serving()
    if serving and serving != OLD:
        one = stage.directory.manifest(serving)
        there = stack_containers(stage.engine, STACK)
        if one.outcome != SERVING or not containers_are_right(one, there):
            stage.roll(serving, **changes)
        return serving
    release_id = NEW
    if stage.said:
        release_id = f"20261122-1835{len(stage.routed):02d}-b81d02aa"
        taken = [one.bank for one in stage.directory.manifests() if one.outcome != FAILED]
        stage.prepare(release_id, bank=free_bank(taken))
    stage.roll(release_id, **changes)
    return release_id


def killed_at(stage: Stage, moment: int | str, attempt: Callable[[], Any]) -> None:
    """Have the process of an attempt killed, and look what it left."""
    stage.last_moment = moment
    with pytest.raises(KilledError):
        attempt()
    stage.last_moment = None
    stage.look()
    assert stage.proxy.ways


def assert_serves_alone(stage: Stage, release_id: str) -> None:
    """Look whether a release serves, as a roll that nobody interrupted leaves it."""
    serving = stage.directory.manifest(release_id)
    routes = (stage.directory.release(release_id) / "routes.yml").read_text()
    assert stage.directory.routes.read_text() == routes
    assert not stage.directory.private_routes.exists()
    assert stage.proxy.ways == {release_id}
    expected = [name for one in serving.services.values() for name in one["containers"]]
    assert stage.engine.names() == sorted(expected)
    assert stage.engine.running() == set(expected)
    outcomes = {one.id: one.outcome for one in stage.directory.manifests()}
    assert [one for one, outcome in outcomes.items() if outcome == SERVING] == [release_id]
