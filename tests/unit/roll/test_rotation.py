"""A rotation of secrets: what reads them is rolled, and everything else stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.job import ROLLBACK
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    Plan,
    containers_are_right,
    stack_containers,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
    fingerprint,
    free_bank,
)
from ansible_collections.slipway.stack.plugins.module_utils.rollback import rollback_lines
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import secrets_on_host

from tests.unit.release.fakes import NEW, OLD, STACK
from tests.unit.roll.killing import assert_serves_alone, killed_at
from tests.unit.roll.stage import OLD_IMAGES, Stage, staged
from tests.unit.roll.stand_ins import AtLast, AtOnce

ROTATED = "20261122-190000-11111111"
LATER = "20261122-200000-22222222"
BACKEND = {f"shop-{ROTATED}-backend-1", f"shop-{ROTATED}-backend-2"}
STAYS = {f"shop-{OLD}-{name}-1" for name in ("frontend", "worker", "scheduler")}


def prepared(stage: Stage, release_id: str = ROTATED, *readers: str) -> Manifest:
    """Put a rotation on the host as a plan has it: of the backend's secrets if nobody is named."""
    kept = stage.directory.manifest(stage.directory.serving() or "")
    taken = [one.bank for one in stage.directory.manifests() if one.outcome != FAILED]
    return stage.prepare(
        release_id,
        bank=free_bank(taken),
        rotates=(kept, set(readers or ["backend"])),
        images=OLD_IMAGES,
    )


def rotate(stage: Stage, release_id: str = ROTATED, *readers: str, **changes: Any) -> Manifest:
    """Put a rotation on the host and roll to it."""
    one = prepared(stage, release_id, *readers)
    stage.roll(release_id, **changes)
    return one


def touched(stage: Stage, names: set[str]) -> list[tuple[str, ...]]:
    """Return what was done to any of these containers."""
    asked = {*names, *(f"id-of-{name}" for name in names)}
    return [call for call in stage.engine.calls if asked & {*call}]


def test_only_the_services_that_read_the_secret_are_rolled(stage: Stage) -> None:
    before = {name: stage.engine.there[name] for name in STAYS}
    rotate(stage)
    assert_serves_alone(stage, ROTATED)
    assert stage.engine.running() == BACKEND | STAYS
    assert all(stage.engine.there[name] is one for name, one in before.items())
    assert {call[0] for call in touched(stage, STAYS)} <= {"start"}, "and that starts none again"
    assert "drain" in stage.phases()


def test_what_stays_runs_on_at_its_full_weight(stage: Stage) -> None:
    rotate(stage)
    assert set(stage.engine.weights) == BACKEND


def test_what_stays_may_have_been_restarted_in_its_life(stage: Stage) -> None:
    for name in STAYS:
        stage.engine.there[name]["RestartCount"] = 1
    rotate(stage)
    assert_serves_alone(stage, ROTATED)


def test_a_changed_password_of_visitors_rolls_no_service(stage: Stage) -> None:
    before = dict(stage.engine.there)
    rotate(stage, ROTATED, "no service")
    assert_serves_alone(stage, ROTATED)
    assert stage.engine.there == before
    assert f"up {ROTATED}" in stage.engine.events, "its commands run"


@pytest.mark.parametrize("bad", ["smoke", "soak", "drain"])
def test_going_back_leaves_alone_what_stays(stage: Stage, bad: str) -> None:
    before = {name: stage.engine.there[name] for name in STAYS}
    stage.trial.bad[bad] = "it is bad"
    with pytest.raises(ReleaseError, match="it is bad"):
        rotate(stage)
    assert_serves_alone(stage, OLD)
    assert all(stage.engine.there[name] is one for name, one in before.items())
    assert {call[0] for call in touched(stage, STAYS)} <= {"start"}


def test_a_singleton_that_reads_the_secret_never_runs_twice(stage: Stage) -> None:
    rotate(stage, ROTATED, "scheduler", "worker")
    assert_serves_alone(stage, ROTATED)  # the stage looks after every step


def test_a_rollback_from_a_rotation_rolls_no_more_than_that_did(stage: Stage) -> None:
    stage.engine.images.update(OLD_IMAGES.values())
    rotate(stage)
    before = {name: stage.engine.there[name] for name in STAYS}
    stage.roll(OLD, action=ROLLBACK)
    assert_serves_alone(stage, OLD)
    assert all(stage.engine.there[name] is one for name, one in before.items())


def test_the_plan_of_that_rollback_says_what_stays(stage: Stage) -> None:
    rotated = rotate(stage)
    old = stage.directory.manifest(OLD)
    found = rollback_lines(Plan("rollback", old, ROTATED), rotated)
    assert f"  stays      shop-{OLD}-frontend-1" in found
    assert f"  starts     shop-{OLD}-backend-1" in found
    assert f"  stops      shop-{ROTATED}-backend-2, then removes it" in found
    assert not [line for line in found if "starts" in line and "frontend" in line]


def test_the_next_deploy_replaces_everything(stage: Stage) -> None:
    rotate(stage)
    stage.prepare(LATER, bank=3)
    stage.roll(LATER)
    assert_serves_alone(stage, LATER)


def test_a_rotation_can_be_gone_back_to_though_another_brought_its_containers(
    stage: Stage,
) -> None:
    stage.engine.images.update(OLD_IMAGES.values())
    rotate(stage)
    stage.prepare(LATER, bank=4)
    stage.roll(LATER)
    stage.roll(ROTATED, action=ROLLBACK)
    assert_serves_alone(stage, ROTATED)
    assert stage.engine.running() == BACKEND | STAYS


def test_rotations_in_a_row_keep_what_the_first_release_brought(stage: Stage) -> None:
    rotate(stage, keep=1)
    third = rotate(stage, LATER, "worker", keep=1)
    assert_serves_alone(stage, LATER)
    assert third.home("frontend") == OLD
    assert third.home("backend") == ROTATED
    assert stage.directory.ids() == [LATER, ROTATED, OLD], "their files are mounted"


def test_what_no_kept_release_needs_any_more_is_dropped(stage: Stage) -> None:
    rotate(stage, keep=1)
    stage.prepare(LATER, bank=4)
    stage.roll(LATER, keep=1)
    assert stage.directory.ids() == [LATER]


def test_a_finished_rotation_needs_nothing_more(stage: Stage) -> None:
    one = rotate(stage)
    assert containers_are_right(one, stack_containers(stage.engine, STACK))
    del stage.engine.there[f"shop-{OLD}-frontend-1"]
    assert not containers_are_right(one, stack_containers(stage.engine, STACK))


def again(stage: Stage) -> str:
    """Run the same rotation again, as a plain run does; return what has to serve."""
    serving = stage.directory.serving() or ""
    if serving == OLD:
        return rotate(stage, LATER).id
    one = stage.directory.manifest(serving)
    there = stack_containers(stage.engine, STACK)
    if one.outcome != SERVING or not containers_are_right(one, there):
        stage.roll(serving)
    return serving


@pytest.mark.parametrize("pool", [AtOnce, AtLast])
def test_a_rotation_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce]
) -> None:
    whole = staged(tmp_path / "whole", monkeypatch, pool)
    prepared(whole)
    first = len(whole.moments) + 1
    whole.roll(ROTATED)
    for moment in range(first, len(whole.moments) + 1):
        stage = staged(tmp_path / str(moment), monkeypatch, pool)
        before = {name: stage.engine.there[name] for name in STAYS}
        prepared(stage)
        killed_at(stage, moment, lambda: stage.roll(ROTATED))  # noqa: B023 - it is called at once
        assert_serves_alone(stage, again(stage))
        assert all(stage.engine.there[name] is one for name, one in before.items())


@pytest.mark.parametrize("bad", ["smoke", "soak", "drain"])
def test_going_back_from_a_rotation_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    def bad_rotation(stage: Stage) -> None:
        stage.trial.bad[bad] = "it is bad"
        with pytest.raises(ReleaseError, match="it is bad"):
            rotate(stage)

    whole = staged(tmp_path / "whole", monkeypatch)
    bad_rotation(whole)
    for moment in range(whole.moments.index("back begin") + 1, len(whole.moments) + 1):
        stage = staged(tmp_path / str(moment), monkeypatch)
        killed_at(stage, moment, lambda: bad_rotation(stage))  # noqa: B023 - it is called at once
        stage.trial.bad.clear()
        assert_serves_alone(stage, again(stage))


# what an earlier release gets ---------------------------------------------------------------------


def put(stage: Stage, release_id: str, service: str, **values: str) -> None:
    place = stage.directory.release(release_id) / "secrets" / service
    place.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (place / name).write_bytes(value.encode())


def values(stage: Stage, release_id: str) -> dict[str, Any]:
    found = secrets_on_host(stage.directory, stage.directory.manifest(release_id))
    return {name: one["values"] for name, one in found["services"].items()}


def test_a_rollback_takes_the_present_secrets(stage: Stage) -> None:
    """Those of the release that serves: they are known to work, and others may be revoked."""
    put(stage, OLD, "backend", key="old", password="old", gone="old")
    put(stage, OLD, "worker", key="old")
    put(stage, NEW, "backend", key="new\r\n ", password="new")
    stage.serve(NEW)
    stage.engine.there.clear()
    stage.engine.add_release(stage.new)
    stage.roll(OLD, action=ROLLBACK)
    assert values(stage, OLD) == {
        "backend": {"key": "new\r\n ", "password": "new", "gone": "old"},
        "worker": {"key": "new\r\n "},
    }


def test_what_a_killed_rotation_left_running_comes_back_with_the_present_secrets(
    stage: Stage,
) -> None:
    """It has read the old ones, which are revoked some day."""
    stage.engine.images.update(OLD_IMAGES.values())
    put(stage, OLD, "backend", password="old")
    prepared(stage)
    put(stage, ROTATED, "backend", password="new")
    killed_at(stage, "drain begin", lambda: stage.roll(ROTATED))
    before = dict(stage.engine.there)
    stage.roll(OLD, action=ROLLBACK)
    assert_serves_alone(stage, OLD)
    assert values(stage, OLD) == {"backend": {"password": "new"}}
    again = {name for name in stage.engine.names() if stage.engine.there[name] is before[name]}
    assert again == STAYS


def test_what_another_release_brought_comes_back_with_the_present_secrets(stage: Stage) -> None:
    stage.engine.images.update(OLD_IMAGES.values())
    put(stage, OLD, "worker", key="old")
    rotate(stage)
    stage.prepare(LATER, bank=4)
    put(stage, LATER, "worker", key="new")
    killed_at(stage, "prune begin", lambda: stage.roll(LATER))
    stage.roll(ROTATED, action=ROLLBACK)
    assert values(stage, OLD) == {"worker": {"key": "new"}}


def test_a_service_s_own_secret_comes_before_another_s_of_the_same_name(stage: Stage) -> None:
    put(stage, OLD, "backend", key="old")
    put(stage, OLD, "worker", key="old")
    put(stage, NEW, "backend", key="the backend's")
    put(stage, NEW, "worker", key="the worker's")
    stage.roll()
    assert values(stage, OLD) == {
        "backend": {"key": "the backend's"},
        "worker": {"key": "the worker's"},
    }


def test_no_kept_release_has_a_revoked_secret_after_a_roll(stage: Stage) -> None:
    put(stage, OLD, "backend", key="revoked")
    put(stage, NEW, "backend", key="present")
    stage.roll()
    held = [path for path in stage.directory.host.rglob("*") if path.is_file()]
    assert not [path for path in held if b"revoked" in path.read_bytes()]


def test_going_back_leaves_the_old_release_its_own_secrets(stage: Stage) -> None:
    put(stage, OLD, "backend", key="old")
    put(stage, NEW, "backend", key="new")
    stage.trial.bad["soak"] = "it is bad"
    with pytest.raises(ReleaseError, match="it is bad"):
        stage.roll()
    assert values(stage, OLD) == {"backend": {"key": "old"}}


def test_renewed_users_may_enter_after_a_rollback(stage: Stage) -> None:
    for release_id, users in ((OLD, "team:revoked"), (NEW, "team:present")):
        (stage.directory.dynamic / f"shop-{release_id}.users").write_text(users)
    stage.roll()
    assert (stage.directory.dynamic / f"shop-{OLD}.users").read_text() == "team:present"


def test_a_release_s_fingerprint_says_which_secrets_it_has_now(stage: Stage) -> None:
    stage.old.definition = "what it is besides"
    stage.directory.write_manifest(stage.old)
    put(stage, OLD, "backend", key="old")
    put(stage, NEW, "backend", key="new")
    stage.roll()
    old = stage.directory.manifest(OLD)
    assert old.outcome == RETIRED
    assert old.fingerprint == fingerprint(
        "what it is besides",
        {"services": {"backend": {"uid": 10001, "values": {"key": "new"}}}, "users": ""},
        stage.directory.key.read_bytes(),
    )
