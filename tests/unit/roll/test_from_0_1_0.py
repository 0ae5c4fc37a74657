"""A host on which version 0.1.0 of Slipway deployed: the next deploy loses nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
)
from ansible_collections.slipway.stack.plugins.module_utils.rollback import plan_rollback
from ansible_collections.slipway.stack.plugins.module_utils.routes import ROUTES_HEADER, read_routes

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.killing import assert_serves_alone, deploy, killed_at
from tests.unit.roll.stage import OLD_IMAGES, Stage
from tests.unit.roll.test_trial import Tried

CANARY: dict[str, Any] = {"canary": [5, 100]}


@pytest.fixture
def old(stage: Stage) -> Manifest:
    """Have a release serve as 0.1.0 left it: YAML, no routers for a prober, fewer fields."""
    old = stage.old
    old.services = {
        name: {key: service[key] for key in ("port", "health", "containers")}
        for name, service in old.services.items()
    }
    path = stage.directory.release(OLD) / "routes.yml"
    routes = read_routes(path.read_text())
    routes["http"]["routers"] = {
        name.replace("_", "-"): router
        for name, router in routes["http"]["routers"].items()
        if not name.endswith("-probe")
    }
    old.routers = list(routes["http"]["routers"])
    stage.directory.write_manifest(old)
    text = yaml.safe_dump(routes, sort_keys=False)
    path.write_text(f"#\n# Ansible managed\n#\n{ROUTES_HEADER}{OLD}\n---\n{text}")
    with pytest.raises(ValueError, match="Expecting"):
        read_routes(path.read_text())
    stage.serve(OLD)
    return old


def test_the_next_release_takes_its_place(stage: Stage, old: Manifest) -> None:
    report = stage.roll(**CANARY)
    assert report.old == OLD
    assert_serves_alone(stage, NEW)
    assert stage.directory.manifest(OLD).outcome == RETIRED
    assert f"confirm {OLD}" in stage.events


def test_a_canary_is_left_out_and_that_is_noted(stage: Stage, old: Manifest) -> None:
    stage.roll(**CANARY)
    assert "canary 5 %" not in stage.phases()
    (note,) = [text for phase, event, text in stage.said if (phase, event) == ("canary", "note")]
    assert "version 0.1.0" in note


def test_nothing_is_noted_where_no_canary_is_wanted(stage: Stage, old: Manifest) -> None:
    stage.roll()
    assert not [event for _, event, _ in stage.said if event == "note"]


@pytest.mark.parametrize("bad", ["smoke", "soak", "drain"])
def test_a_bad_release_is_gone_back_from(stage: Stage, old: Manifest, bad: str) -> None:
    before = stage.directory.routes.read_text()
    stage.trial.bad[bad] = "it is bad"
    with pytest.raises(ReleaseError) as caught:
        stage.roll()
    assert str(caught.value) == "it is bad"
    assert stage.directory.routes.read_text() == before
    assert_serves_alone(stage, OLD)
    assert stage.directory.manifest(NEW).outcome == FAILED


@pytest.mark.parametrize("moment", ["smoke end", "switch begin", "switch end", "drain begin"])
def test_a_roll_that_is_killed_is_finished_by_the_next(
    stage: Stage, old: Manifest, moment: str
) -> None:
    killed_at(stage, moment, lambda: deploy(stage))
    assert_serves_alone(stage, deploy(stage))


def test_the_prober_asks_what_the_new_release_answers(
    stage: Stage, old: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Tried(stage, monkeypatch)
    with tried.trial.probing(stage.new, old):
        pass
    assert {(one.service, one.path) for one in tried.prober.questions} == {
        ("backend", "/api"),
        ("frontend", "/"),
    }
    assert tried.watching.measured == [OLD]


def test_a_rollback_to_it_is_refused_with_what_to_do(stage: Stage, old: Manifest) -> None:
    stage.engine.images.update(OLD_IMAGES.values())
    stage.roll()
    with pytest.raises(ReleaseError) as caught:
        plan_rollback(stage.directory, stage.engine, "")
    told = str(caught.value)
    assert f"{OLD} (version 1.4.1) was made by version 0.1.0" in told
    assert "-e stack_version=1.4.1" in told
    assert told.endswith(f"{NEW} serves.")


def test_a_rollback_to_what_serves_needs_nothing(stage: Stage, old: Manifest) -> None:
    assert plan_rollback(stage.directory, stage.engine, OLD).action == "none"
    assert stage.directory.manifest(OLD).outcome == SERVING
