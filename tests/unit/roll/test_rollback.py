"""Going back: which release is meant, what is refused, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.plan import FINISH, NOTHING, Plan
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    ROLLED_BACK,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.rollback import (
    ROLLBACK,
    plan_rollback,
    rollback_lines,
)

from tests.unit.release.fakes import DIGESTS, manifest, provisioned, serve, written
from tests.unit.release.registry import Registry

FIRST, SECOND, THIRD, FOURTH = (f"2026112{day}-101500-4f3a9c1e" for day in range(1, 5))


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


@pytest.fixture
def engine(directory: StackDirectory) -> Registry:
    engine = Registry(directory)
    engine.images = set(DIGESTS.values())
    return engine


def host(engine: Registry, serving: str, **outcomes: str) -> None:
    """Put releases on the host: FIRST has version 1.1.0, SECOND 1.2.0 …; one of them serves."""
    assert engine.directory
    for number, (release_id, outcome) in enumerate(
        zip((FIRST, SECOND, THIRD, FOURTH), outcomes.values(), strict=False), 1
    ):
        one = manifest(release_id, outcome=outcome, version=f"1.{number}.0", bank=number)
        written(engine.directory, one)
        if release_id == serving:
            engine.add_release(one)
    serve(engine.directory, serving)


def go_back(engine: Registry, wanted: str = "") -> Plan:
    assert engine.directory
    return plan_rollback(engine.directory, engine, wanted)


def test_the_release_before_the_serving_one_is_meant(engine: Registry) -> None:
    host(engine, THIRD, a=RETIRED, b=RETIRED, c=SERVING)
    found = go_back(engine)
    assert (found.action, found.manifest.id, found.serving) == (ROLLBACK, SECOND, THIRD)
    assert engine.events == []
    assert engine.asked == []


def test_a_release_that_people_went_back_from_is_passed_over(engine: Registry) -> None:
    host(engine, FOURTH, a=RETIRED, b=RETIRED, c=ROLLED_BACK, d=SERVING)
    assert go_back(engine).manifest.id == SECOND


def test_going_back_twice_goes_back_further(engine: Registry) -> None:
    host(engine, SECOND, a=RETIRED, b=SERVING, c=ROLLED_BACK)
    assert go_back(engine).manifest.id == FIRST


@pytest.mark.parametrize("outcome", [FAILED, PREPARED])
def test_a_release_that_never_served_is_passed_over(engine: Registry, outcome: str) -> None:
    host(engine, THIRD, a=RETIRED, b=outcome, c=SERVING)
    assert go_back(engine).manifest.id == FIRST


def test_an_interrupted_deploy_can_be_gone_back_from(engine: Registry) -> None:
    host(engine, SECOND, a=SERVING, b=PREPARED)
    found = go_back(engine)
    assert (found.action, found.manifest.id) == (ROLLBACK, FIRST)


@pytest.mark.parametrize("outcome", [RETIRED, ROLLED_BACK])
@pytest.mark.parametrize("wanted", ["", FIRST, "1.1.0"])
def test_an_interrupted_rollback_is_finished_by_the_same_command(
    engine: Registry, outcome: str, wanted: str
) -> None:
    host(engine, FIRST, a=outcome, b=SERVING)
    found = go_back(engine, wanted)
    assert (found.action, found.manifest.id, found.serving) == (FINISH, FIRST, FIRST)


@pytest.mark.parametrize("wanted", [FIRST, "1.1.0"])
def test_an_id_and_a_version_name_a_release(engine: Registry, wanted: str) -> None:
    host(engine, THIRD, a=RETIRED, b=RETIRED, c=SERVING)
    assert go_back(engine, wanted).manifest.id == FIRST


def test_a_release_that_people_went_back_from_may_be_named(engine: Registry) -> None:
    host(engine, SECOND, a=RETIRED, b=SERVING, c=ROLLED_BACK)
    assert go_back(engine, THIRD).manifest.id == THIRD


def test_of_a_version_the_newest_that_has_served_is_meant(
    engine: Registry, directory: StackDirectory
) -> None:
    host(engine, FOURTH, a=RETIRED, b=RETIRED, c=FAILED, d=SERVING)
    for release_id in (FIRST, SECOND, THIRD):
        one = directory.manifest(release_id)
        one.version = "1.1.0"
        directory.write_manifest(one)
    assert go_back(engine, "1.1.0").manifest.id == SECOND


@pytest.mark.parametrize("wanted", [SECOND, "1.2.0"])
def test_what_serves_already_needs_nothing(engine: Registry, wanted: str) -> None:
    host(engine, SECOND, a=RETIRED, b=SERVING)
    assert go_back(engine, wanted).action == NOTHING


def refused(engine: Registry, wanted: str = "") -> str:
    with pytest.raises(ReleaseError) as caught:
        go_back(engine, wanted)
    return str(caught.value)


def test_an_unknown_release_is_refused_with_the_kept_ones(engine: Registry) -> None:
    host(engine, THIRD, a=RETIRED, b=FAILED, c=SERVING)
    assert refused(engine, "9.9.9").splitlines() == [
        "No release with the id or version '9.9.9' is kept on the host.",
        "Kept, and able to serve:",
        f"  {FIRST}  version 1.1.0  retired",
        f"{THIRD} serves.",
    ]


@pytest.mark.parametrize(("outcome", "why"), [(FAILED, "failed"), (PREPARED, "never finished")])
def test_what_never_served_is_refused_by_its_id_too(
    engine: Registry, outcome: str, why: str
) -> None:
    host(engine, SECOND, a=outcome, b=SERVING)
    message = refused(engine, FIRST)
    assert why in message
    assert "runs no commands" in message
    assert "deploy.yml -i <inventory> -e stack_version=1.1.0" in message


def test_without_an_earlier_release_there_is_nothing_to_go_back_to(engine: Registry) -> None:
    host(engine, FIRST, a=SERVING, b=ROLLED_BACK)
    message = refused(engine)
    assert message.startswith(f"No release is kept that served before {FIRST}.")
    assert SECOND in message


def test_the_only_release_says_that_no_other_is_kept(engine: Registry) -> None:
    host(engine, FIRST, a=SERVING)
    assert f"No other release that has served is kept; {FIRST} serves." in refused(engine)


def test_before_the_first_deploy_there_is_nothing_to_go_back_from(engine: Registry) -> None:
    assert "nothing to go back from" in refused(engine)


def test_an_image_that_is_gone_is_named(engine: Registry) -> None:
    host(engine, SECOND, a=RETIRED, b=SERVING)
    engine.images.remove(DIGESTS["frontend"])
    message = refused(engine)
    assert f"{FIRST} cannot serve: {DIGESTS['frontend']} is no longer on the host" in message
    assert "stack_version=1.1.0" in message


def lines(action: str, one: Manifest, serving: Manifest) -> list[str]:
    return rollback_lines(Plan(action, one, serving.id), serving)


def test_the_plan_says_what_starts_and_what_stops() -> None:
    old: dict[str, Any] = {"version": "1.1.0"}
    first, second = manifest(FIRST, **old), manifest(SECOND)
    found = lines(ROLLBACK, first, second)
    assert found[0] == f"shop: {SECOND} (version 1.4.1) → {FIRST} (version 1.1.0)"
    assert f"  starts     shop-{FIRST}-worker-1" in found
    assert f"  stops      shop-{SECOND}-worker-1, then removes it" in found
    assert "serves already" in lines(NOTHING, first, first)[0]
    assert "finishes it" in lines(FINISH, first, first)[0]
