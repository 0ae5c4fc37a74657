"""Draining releases, stopping them, and dropping what is no longer kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    ROLLED_BACK,
    SERVING,
    Manifest,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.retire import (
    STOP_SECONDS,
    Retirer,
    kept_releases,
    open_connections,
)
from ansible_collections.slipway.stack.plugins.module_utils.start import ENGINE_SECONDS

from tests.unit.release.fakes import DIGESTS, NEW, OLD, manifest, written
from tests.unit.roll.stage import OLD_IMAGES, Stage


@pytest.fixture
def retirer(stage: Stage) -> Retirer:
    """Build a stack in which both releases run and the new one serves, as after a switch."""
    stage.engine.add_release(stage.new)
    del stage.engine.there[f"shop-{OLD}-scheduler-1"]
    stage.new.outcome, stage.old.outcome = SERVING, RETIRED
    for one in (stage.new, stage.old):
        stage.directory.write_manifest(one)
    stage.serve(NEW)
    return Retirer(stage.directory, stage.engine, stage.time.clock())


def removed(stage: Stage) -> set[str]:
    return {event.split()[2] for event in stage.events if event.startswith("image rm")}


# drain ------------------------------------------------------------------------------------------


def test_a_drain_lasts_until_no_connection_is_open(retirer: Retirer, stage: Stage) -> None:
    stage.open = [2, 1, 1]
    retirer.drain(NEW, 30)
    assert stage.open == []
    assert stage.time.seconds == pytest.approx(0.3)


def test_a_drain_ends_at_its_bound(retirer: Retirer, stage: Stage) -> None:
    stage.open = [1] * 10_000
    retirer.drain(NEW, 30)
    assert stage.time.seconds == pytest.approx(30, abs=0.2)


def test_a_drain_of_nothing_takes_no_time(retirer: Retirer, stage: Stage) -> None:
    retirer.drain(NEW, 0)
    assert stage.time.seconds == 0


def test_a_worker_and_what_does_not_run_are_not_waited_for(retirer: Retirer, stage: Stage) -> None:
    for name in stage.containers(OLD):
        if "worker" not in name:
            stage.engine.set_running(name, running=False)
    retirer.drain(NEW, 30)
    assert "gauge" not in stage.events


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 1
   1: 2004D50A:1F40 0204D50A:C350 01 00000000:00000000 00:00000000 00000000 10001        0 2
   2: 2004D50A:1F40 0204D50A:C351 06 00000000:00000000 00:00000000 00000000 10001        0 3
   3: 2004D50A:C352 0204D50A:1F40 01 00000000:00000000 00:00000000 00000000 10001        0 4
"""


def test_only_established_connections_to_the_port_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = {"/proc/4242/net/tcp": TCP, "/proc/4242/net/tcp6": TCP}
    monkeypatch.setattr(Path, "read_text", lambda path: tables[str(path)])
    assert open_connections(4242, 8000) == 2


def test_a_process_that_is_gone_has_no_connections() -> None:
    assert open_connections(2**31 - 1, 8000) == 0


# stop -------------------------------------------------------------------------------------------


def test_all_other_releases_go_and_the_one_of_the_set_stays(retirer: Retirer, stage: Stage) -> None:
    stage.engine.add("20261122-120000-00000000", "backend-1")
    retirer.remove_others({NEW})
    assert stage.engine.names() == stage.containers(NEW)
    verbs = [event.split()[0] for event in stage.events]
    assert verbs == ["stop"] * (len(verbs) // 2) + ["rm"] * (len(verbs) // 2)
    assert {event.split()[1] for event in stage.events} == {OLD, "20261122-120000-00000000"}


def test_where_nothing_is_to_be_stopped_the_engine_is_left_alone(
    retirer: Retirer, stage: Stage
) -> None:
    retirer.remove_others({NEW, OLD})
    assert stage.events == []


def test_the_engine_has_as_long_as_a_containers_grace_and_its_own(
    retirer: Retirer, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = retirer.others({NEW})[:2]
    found[0]["Config"]["StopTimeout"] = 100
    found[1]["Config"].pop("StopTimeout")
    bounds: dict[str, float] = {}
    monkeypatch.setattr(stage.engine, "stop", lambda name, timeout: bounds.update({name: timeout}))
    retirer.stop(found)
    assert bounds == {
        found[0]["Id"]: 100 + ENGINE_SECONDS,
        found[1]["Id"]: STOP_SECONDS + ENGINE_SECONDS,
    }


# what stays -------------------------------------------------------------------------------------


def ids(*seconds: int) -> list[str]:
    return [f"20261101-0000{second:02d}-00000000" for second in seconds]


def releases(*outcomes: str) -> list[Manifest]:
    return [
        manifest(release_id, outcome=outcome)
        for release_id, outcome in zip(ids(*range(len(outcomes))), outcomes, strict=True)
    ]


@pytest.mark.parametrize(
    ("outcomes", "serving", "keep", "kept"),
    [
        ([SERVING], 0, 5, [0]),
        ([RETIRED, RETIRED, RETIRED, SERVING], 3, 3, [3, 2, 1]),
        ([RETIRED, RETIRED, SERVING], 2, 1, [2]),
        ([RETIRED, SERVING, ROLLED_BACK, RETIRED], 1, 3, [1, 2, 3]),
        ([FAILED, FAILED, RETIRED, SERVING], 3, 5, [3, 2, 1]),
        ([RETIRED, FAILED, FAILED, SERVING], 3, 2, [3, 2, 0]),
        ([PREPARED, RETIRED, SERVING, PREPARED], 2, 5, [2, 1, 3]),
    ],
    ids=[
        "the only one",
        "the newest that served",
        "no more than what serves",
        "after going back",
        "one failure for its log",
        "a failure takes no place of a release that served",
        "one that is coming, none that never came",
    ],
)
def test_what_serves_and_what_one_may_go_back_to_stays(
    outcomes: list[str], serving: int, keep: int, kept: list[int]
) -> None:
    found = kept_releases(releases(*outcomes), ids(serving)[0], keep)
    assert found == set(ids(*kept))


def test_a_dropped_release_goes_with_exactly_its_own_images_secrets_and_users(
    retirer: Retirer, stage: Stage
) -> None:
    stage.old.images = OLD_IMAGES | {"frontend": DIGESTS["frontend"]}
    stage.directory.write_manifest(stage.old)
    secret = stage.directory.release(OLD) / "secrets" / "backend" / "key"
    secret.parent.mkdir(parents=True)
    secret.write_text("hunter2")
    users = stage.directory.dynamic / f"shop-{OLD}.users"
    users.write_text("team:hash")
    retirer.prune(NEW, 1)
    assert [one.name for one in stage.directory.releases.iterdir()] == [NEW]
    assert not users.exists()
    assert removed(stage) == {
        f"slipway/shop-backend:{OLD}",
        f"slipway/shop-frontend:{OLD}",
        f"slipway/shop-worker:{OLD}",
        OLD_IMAGES["backend"],
    }


def test_an_image_that_another_stack_has_a_release_of_stays(retirer: Retirer, stage: Stage) -> None:
    neighbour = StackDirectory(stage.directory.host, "other")
    neighbour.releases.mkdir(parents=True)
    written(neighbour, manifest(OLD, stack="other", images={"web": OLD_IMAGES["backend"]}))
    retirer.prune(NEW, 1)
    assert OLD_IMAGES["backend"] not in removed(stage)
    assert OLD_IMAGES["frontend"] in removed(stage)
    assert neighbour.ids() == [OLD]


def test_an_image_that_is_gone_already_is_no_failure(retirer: Retirer, stage: Stage) -> None:
    stage.engine.failing["image rm"] = "Error: No such image: x"
    retirer.prune(NEW, 1)
    assert stage.directory.ids() == [NEW]


FOREIGN = (
    "Error response from daemon: conflict: unable to remove repository reference "
    '"registry.example.com/shop" (must force) - container 4f1c is using its referenced image 9b2e'
)


def test_an_image_that_somebody_else_uses_stays_and_is_told(retirer: Retirer, stage: Stage) -> None:
    stage.engine.failing["image rm"] = FOREIGN
    notes = retirer.prune(NEW, 1)
    assert stage.directory.ids() == [NEW]
    assert len(notes) == 5  # three tags of the release, two images under them
    assert all("somebody else uses it" in note and "container 4f1c" in note for note in notes)


def test_a_service_named_conflict_hides_no_error(retirer: Retirer, stage: Stage) -> None:
    stage.engine.failing["image rm"] = "'docker image rm slipway/shop-conflict:1' failed: it hangs"
    with pytest.raises(EngineError, match="hangs"):
        retirer.prune(NEW, 1)


def test_an_image_that_cannot_be_removed_is_told(retirer: Retirer, stage: Stage) -> None:
    stage.engine.failing["image rm"] = "the engine hangs"
    with pytest.raises(EngineError, match="hangs"):
        retirer.prune(NEW, 1)
    assert stage.directory.ids() == [NEW, OLD]


def test_releases_that_are_kept_lose_nothing(retirer: Retirer, stage: Stage) -> None:
    retirer.prune(NEW, 2)
    assert stage.directory.ids() == [NEW, OLD]
    assert removed(stage) == set()


def test_what_killed_deploys_left_behind_is_removed_but_not_what_is_being_written(
    retirer: Retirer, stage: Stage
) -> None:
    left = stage.directory.temporary("20261122-100000-00000000")
    coming = stage.directory.temporary("20261124-000000-00000000")
    for path in (left, coming):
        (path / "secrets").mkdir(parents=True)
    retirer.prune(NEW, 5)
    assert not left.exists()
    assert coming.exists()


def test_a_prune_that_is_killed_leaves_no_broken_release(
    retirer: Retirer, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        retirer.prune(NEW, 1)
    assert [one.id for one in stage.directory.manifests()] == [NEW]
    monkeypatch.undo()
    retirer.prune(NEW, 1)
    assert [one.name for one in stage.directory.releases.iterdir()] == [NEW]


# assets -----------------------------------------------------------------------------------------


def tree(stage: Stage, one: Manifest, *names: str) -> None:
    """Give a release its assets, which the store has too."""
    one.assets = {"static": {"owner": 10001, "from": {}}}
    stage.directory.write_manifest(one)
    for parent in (stage.directory.release(one.id), stage.directory.root):
        path = parent / "volumes" / "static"
        path.mkdir(parents=True, exist_ok=True)
        for name in names:
            (path / name).write_text(name)


def stored(stage: Stage) -> set[str]:
    return {path.name for path in (stage.directory.root / "volumes" / "static").iterdir()}


def test_the_store_loses_what_only_dropped_releases_had(retirer: Retirer, stage: Stage) -> None:
    tree(stage, stage.old, "a.js", "b.js")
    tree(stage, stage.new, "b.js", "c.js")
    retirer.prune(NEW, 2)
    assert stored(stage) == {"a.js", "b.js", "c.js"}
    retirer.prune(NEW, 1)
    assert stored(stage) == {"b.js", "c.js"}


def test_a_store_that_a_kept_release_has_no_tree_of_is_left_alone(
    retirer: Retirer, stage: Stage
) -> None:
    tree(stage, stage.old, "a.js")
    retirer.prune(NEW, 1)
    assert stored(stage) == {"a.js"}
