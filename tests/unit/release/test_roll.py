"""The roll, against an engine, a proxy and a clock that are fakes."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import roll as roll_module
from ansible_collections.slipway.stack.plugins.module_utils.proxy import publish_routes
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
    locked,
)
from ansible_collections.slipway.stack.plugins.module_utils.roll import (
    Report,
    Roll,
    answer,
    dead,
    image_tag,
    kept_releases,
    open_connections,
)

from tests.unit.release.fakes import (
    DIGESTS,
    NEW,
    OLD,
    FakeEngine,
    FakeProxy,
    FakeTime,
    manifest,
    provisioned,
    routes_text,
    serve,
    written,
)

OLD_IMAGES = {name: image.replace("sha256:", "sha256:0") for name, image in DIGESTS.items()}


class Stage:
    """A host on which OLD serves and NEW is prepared, and everything around it."""

    def __init__(self, directory: StackDirectory, engine: FakeEngine) -> None:
        self.directory = directory
        self.engine = engine
        self.events = engine.events
        self.proxy = FakeProxy(directory, self.events)
        self.time = FakeTime()
        self.missing: dict[str, str] = {}  # what a container's health check says, by its name
        self.open: list[int] = []  # connections to the old release, reading after reading
        self.old = written(directory, manifest(OLD, bank=1, images=OLD_IMAGES, outcome=SERVING))
        self.new = written(directory, manifest(NEW))
        serve(directory, OLD)
        engine.add_release(self.old)

    def roll(self, release_id: str = NEW, *, keep: int = 5) -> Report:
        return Roll(
            self.directory,
            self.engine,
            self.proxy,
            drain_timeout=30,
            keep=keep,
            clock=self.time.clock(),
        ).run(release_id)

    def answer(self, state: dict[str, Any], service: dict[str, Any], address: str | None) -> str:
        container = state["Name"].lstrip("/")
        self.events.append(f"probe {container}")
        return self.missing.get(container, "")

    def connections(self, pid: int, port: int) -> int:
        self.events.append("gauge")
        return self.open.pop(0) if self.open else 0

    def publish(self, path: Path, text: str) -> None:
        publish_routes(path, text)
        self.events.append(f"switch {self.directory.serving()}")

    def phases(self) -> list[str]:
        """Return the events, each run of one kind once, without images."""
        kinds = [event.split()[0] for event in self.events if "image" not in event]
        return [kind for before, kind in zip(["", *kinds], kinds, strict=False) if kind != before]

    def containers(self, release_id: str) -> list[str]:
        return [name for name in self.engine.names() if release_id in name]


@pytest.fixture
def stage(directory: StackDirectory, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(directory, engine)
    monkeypatch.setattr(roll_module, "answer", stage.answer)
    monkeypatch.setattr(roll_module, "open_connections", stage.connections)
    monkeypatch.setattr(roll_module, "publish_routes", stage.publish)
    return stage


def backend(number: int, release_id: str = NEW) -> str:
    return f"shop-{release_id}-backend-{number}"


# a roll that succeeds ---------------------------------------------------------------------------


def test_a_roll_starts_proves_switches_confirms_drains_and_only_then_stops(stage: Stage) -> None:
    stage.roll()
    expected = ["tag", "up", "probe", "switch", "confirm", "gauge", "stop", "rm"]
    assert stage.phases() == expected
    assert f"stop {OLD}" in stage.events
    assert stage.directory.serving() == NEW
    assert stage.containers(OLD) == []
    assert len(stage.containers(NEW)) == 4


def test_the_report_names_both_releases_and_times_every_phase(stage: Stage) -> None:
    stage.proxy.polls = 3
    stage.open = [1] * 3
    found = stage.roll()
    assert (found.old, found.new) == (OLD, NEW)
    assert list(found.seconds) == ["start", "healthy", "switch", "drain", "stop"]
    assert found.seconds["switch"] == pytest.approx(0.3)
    assert found.seconds["drain"] == pytest.approx(0.3)


def test_what_serves_and_what_no_longer_does_is_written_down(stage: Stage) -> None:
    stage.roll()
    assert stage.directory.manifest(NEW).outcome == SERVING
    assert stage.directory.manifest(NEW).finished
    assert stage.directory.manifest(OLD).outcome == RETIRED


def test_images_are_named_after_the_release_before_anything_starts(stage: Stage) -> None:
    stage.roll()
    assert stage.events[:3] == [f"tag {image_tag(stage.new, name)}" for name in DIGESTS]
    assert image_tag(stage.new, "backend") == f"slipway/shop-backend:{NEW}"


def test_the_one_shots_do_not_run_again(stage: Stage) -> None:
    calls: list[tuple[str, ...]] = []
    run = stage.engine.run

    def noting(*arguments: str, timeout: float = 120) -> str:
        calls.append(arguments)
        return run(*arguments, timeout=timeout)

    stage.engine.run = noting  # type: ignore[method-assign]
    stage.roll()
    (up,) = [call for call in calls if "up" in call]
    assert {"--no-deps", "--no-recreate"} <= set(up)
    assert up[-4:] == ("backend-1", "backend-2", "frontend-1", "worker-1")
    assert up[up.index("--pull") + 1] == "never"


def test_the_first_release_of_a_stack_rolls_too(stage: Stage) -> None:
    stage.engine.there.clear()
    stage.directory.routes.unlink()
    shutil.rmtree(stage.directory.release(OLD))
    assert stage.roll().old is None
    assert stage.directory.serving() == NEW


def test_what_a_failed_roll_left_is_removed_before_the_start(stage: Stage) -> None:
    stray = "20261122-120000-00000000"
    stage.engine.add(stray, "backend-1")
    stage.roll()
    assert stage.events[:2] == [f"stop {stray}", f"rm {stray}"]


# healthy ----------------------------------------------------------------------------------------


def test_a_slow_but_good_release_is_waited_for(stage: Stage) -> None:
    stage.missing[backend(2)] = "/readyz answered 503"
    stage.time.on_pause = lambda now: stage.missing.clear() if now > 55 else None
    assert stage.roll().seconds["healthy"] == pytest.approx(55.1, abs=0.2)
    assert stage.directory.serving() == NEW


def test_a_container_that_is_healthy_once_is_not_asked_again(stage: Stage) -> None:
    stage.missing[backend(2)] = "not yet"
    stage.time.on_pause = lambda now: stage.missing.clear() if now > 1 else None
    stage.roll()
    assert stage.events.count(f"probe {backend(1)}") == 1


def test_a_release_that_never_gets_healthy_ends_at_its_bound_with_its_last_words(
    stage: Stage,
) -> None:
    stage.missing[backend(2)] = "/readyz answered 503 to Host shop.example.com"
    with pytest.raises(ReleaseError) as caught:
        stage.roll()
    message = str(caught.value)
    assert f"{backend(2)} was not healthy within 60 seconds (health.start_timeout)" in message
    assert "/readyz answered 503" in message
    assert "the last line" in message
    assert stage.time.seconds == pytest.approx(60.1, abs=0.2)


def test_a_container_that_is_not_there_ends_at_its_bound_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.engine, "_up", lambda _: "")
    with pytest.raises(ReleaseError, match="there is no such container"):
        stage.roll()


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ({"Status": "exited", "Running": False, "ExitCode": 3}, "ended with code 3"),
        ({"Status": "restarting", "Running": True, "ExitCode": 1}, "ended with code 1"),
        ({"RestartCount": 1, "ExitCode": 1}, "ended with code 1"),
        ({"Status": "exited", "Running": False, "OOMKilled": True}, "ran out of memory"),
    ],
)
def test_a_dead_container_ends_the_wait_at_once_with_its_logs(
    stage: Stage, state: dict[str, Any], verdict: str
) -> None:
    stage.engine.new_state = state
    with pytest.raises(ReleaseError, match=verdict) as caught:
        stage.roll()
    assert "the last line" in str(caught.value)
    assert stage.time.seconds == 0


# failures before the switch ---------------------------------------------------------------------


def assert_old_serves_alone(stage: Stage) -> None:
    assert stage.directory.routes.read_text() == routes_text(OLD)
    assert stage.containers(NEW) == []
    assert len(stage.containers(OLD)) == 4
    assert not [event for event in stage.events if event == f"stop {OLD}"]
    assert stage.directory.manifest(NEW).outcome == FAILED
    assert stage.directory.manifest(OLD).outcome == SERVING


@pytest.mark.parametrize("verb", ["tag", "up"])
def test_a_release_that_cannot_start_leaves_the_old_one_serving(stage: Stage, verb: str) -> None:
    stage.engine.failing[verb] = "the engine's reason"
    with pytest.raises(ReleaseError, match="the engine's reason"):
        stage.roll()
    assert_old_serves_alone(stage)
    assert "switch" not in stage.phases()
    assert "the engine's reason" in stage.directory.manifest(NEW).reason


def test_an_unhealthy_release_leaves_the_old_one_serving(stage: Stage) -> None:
    stage.missing[backend(1)] = "never"
    with pytest.raises(ReleaseError):
        stage.roll()
    assert_old_serves_alone(stage)
    assert "switch" not in stage.phases()
    assert f"rm {NEW}" in stage.events


def test_routes_that_traefik_cannot_read_are_not_switched_to(stage: Stage) -> None:
    (stage.directory.release(NEW) / "routes.yml").write_text(routes_text(NEW) + "{{ bad")
    with pytest.raises(ReleaseError, match="take for a template"):
        stage.roll()
    assert_old_serves_alone(stage)


def test_a_first_release_that_fails_leaves_nothing_serving(stage: Stage) -> None:
    stage.engine.there.clear()
    stage.directory.routes.unlink()
    stage.missing[backend(1)] = "never"
    with pytest.raises(ReleaseError):
        stage.roll()
    assert stage.directory.serving() is None
    assert stage.engine.names() == []


def test_containers_that_cannot_be_removed_are_told_in_the_manifest(stage: Stage) -> None:
    stage.missing[backend(1)] = "never"
    stage.engine.failing["stop"] = "the engine hangs"
    with pytest.raises(ReleaseError, match="was not healthy"):
        stage.roll()
    assert "could not be removed: the engine hangs" in stage.directory.manifest(NEW).reason


# the switch -------------------------------------------------------------------------------------


def test_routes_that_traefik_does_not_take_are_put_back(stage: Stage) -> None:
    stage.proxy.polls = 10_000
    with pytest.raises(ReleaseError, match=r"within 15 seconds, so they were taken back: its API"):
        stage.roll()
    assert_old_serves_alone(stage)
    assert [event for event in stage.events if event.startswith("switch")] == [
        f"switch {NEW}",
        f"switch {OLD}",
    ]
    assert stage.time.seconds == pytest.approx(15.1, abs=0.2)


def test_a_first_releases_routes_are_taken_away_again(stage: Stage) -> None:
    stage.engine.there.clear()
    stage.directory.routes.unlink()
    stage.proxy.polls = 10_000
    with pytest.raises(ReleaseError, match="taken back"):
        stage.roll()
    assert not stage.directory.routes.exists()
    assert stage.directory.manifest(NEW).outcome == FAILED


def test_an_api_that_is_slow_once_is_asked_again(stage: Stage) -> None:
    stage.proxy.errors = [ReleaseError("Traefik's API does not answer (timed out)")]
    stage.roll()
    assert stage.directory.serving() == NEW


def test_an_api_that_never_answers_puts_the_old_routes_back(stage: Stage) -> None:
    stage.proxy.errors = [ReleaseError("Traefik's API does not answer")] * 10_000
    with pytest.raises(ReleaseError, match="taken back: Traefik's API does not answer"):
        stage.roll()
    assert_old_serves_alone(stage)


# drain ------------------------------------------------------------------------------------------


def test_the_old_release_is_stopped_only_when_no_connection_is_open(stage: Stage) -> None:
    stage.open = [2, 1, 1, 0]
    stage.roll()
    assert stage.open == []
    assert stage.phases()[-3:] == ["gauge", "stop", "rm"]


def test_a_drain_ends_at_its_bound(stage: Stage) -> None:
    stage.open = [1] * 10_000
    assert stage.roll().seconds["drain"] == pytest.approx(30, abs=0.2)
    assert stage.containers(OLD) == []


def test_a_worker_is_not_waited_for_by_its_connections(stage: Stage) -> None:
    stage.engine.there = {name: one for name, one in stage.engine.there.items() if "worker" in name}
    stage.roll()
    assert "gauge" not in stage.events


# interrupted rolls ------------------------------------------------------------------------------


def switched(stage: Stage) -> None:
    """Leave everything as a roll does that is killed right after the rename."""
    stage.engine.add_release(stage.new)
    serve(stage.directory, NEW)


def test_a_roll_killed_after_the_switch_is_finished_by_the_next(stage: Stage) -> None:
    switched(stage)
    assert stage.roll().old is None
    assert stage.phases() == ["tag", "up", "probe", "confirm", "gauge", "stop", "rm"]
    assert stage.containers(OLD) == []
    assert stage.directory.manifest(NEW).outcome == SERVING
    assert stage.directory.manifest(OLD).outcome == RETIRED


def test_finishing_drains_the_old_release_before_it_is_stopped(stage: Stage) -> None:
    switched(stage)
    stage.open = [1] * 3
    assert stage.roll().seconds["drain"] == pytest.approx(0.3)
    assert stage.events.index("gauge") < stage.events.index(f"stop {OLD}")


def test_a_roll_killed_before_the_switch_is_made_by_the_next(stage: Stage) -> None:
    stage.engine.add_release(stage.new)
    assert stage.roll().old == OLD
    assert stage.directory.serving() == NEW


def test_a_roll_killed_while_it_stopped_the_old_release_is_finished(stage: Stage) -> None:
    switched(stage)
    for name in stage.containers(OLD)[:2]:
        del stage.engine.there[name]
    stage.roll()
    assert stage.containers(OLD) == []
    assert stage.directory.manifest(NEW).outcome == SERVING


def test_a_container_that_was_restarted_while_it_served_does_not_hinder_finishing(
    stage: Stage,
) -> None:
    stage.engine.new_state = {"RestartCount": 2, "OOMKilled": True}
    switched(stage)
    stage.roll()
    assert stage.directory.manifest(NEW).outcome == SERVING


def test_a_stopped_container_of_what_serves_is_waited_for_or_told(stage: Stage) -> None:
    switched(stage)
    stage.engine.there[backend(1)]["State"] |= {"Running": False, "Status": "exited"}
    with pytest.raises(ReleaseError, match=f"{backend(1)} ended with code 0"):
        stage.roll()
    assert stage.directory.serving() == NEW
    assert stage.directory.manifest(NEW).outcome == PREPARED
    assert len(stage.containers(OLD)) == 4


def test_a_release_that_served_unrecorded_is_retired_by_the_next(stage: Stage) -> None:
    switched(stage)
    third = written(stage.directory, manifest("20261123-000000-cccccccc", bank=3))
    stage.roll(third.id)
    outcomes = {one.id: one.outcome for one in stage.directory.manifests()}
    assert outcomes == {third.id: SERVING, NEW: RETIRED, OLD: RETIRED}


# the lock ---------------------------------------------------------------------------------------


def test_a_second_deploy_is_told_that_one_is_under_way(stage: Stage) -> None:
    with (
        locked(stage.directory),
        pytest.raises(ReleaseError, match=r"Another deploy of shop is under way.*deploy again"),
    ):
        stage.roll()
    assert stage.events == []


def test_the_lock_is_free_after_a_failure(stage: Stage) -> None:
    stage.engine.failing["up"] = "no"
    with pytest.raises(ReleaseError):
        stage.roll()
    with locked(stage.directory):
        pass


def test_stacks_do_not_lock_each_other_out(stage: Stage) -> None:
    with locked(provisioned(stage.directory.host / "elsewhere", "other")):
        stage.roll()


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
        ([RETIRED, SERVING, RETIRED, RETIRED], 1, 3, [1, 2, 3]),
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


def test_a_dropped_release_goes_with_exactly_its_own_images(stage: Stage) -> None:
    shared = OLD_IMAGES | {"frontend": DIGESTS["frontend"]}
    stage.directory.write_manifest(manifest(OLD, images=shared, outcome=SERVING))
    users = stage.directory.dynamic / f"shop-{OLD}.users"
    users.write_text("team:hash")
    stage.roll(keep=1)
    assert stage.directory.ids() == [NEW]
    assert not users.exists()
    removed = [event for event in stage.events if event.startswith("image rm")]
    assert set(removed) == {
        f"image rm slipway/shop-backend:{OLD}",
        f"image rm slipway/shop-frontend:{OLD}",
        f"image rm slipway/shop-worker:{OLD}",
        f"image rm {OLD_IMAGES['backend']}",
    }


def test_an_image_that_another_stack_has_a_release_of_stays(stage: Stage) -> None:
    neighbour = StackDirectory(stage.directory.host, "other")
    neighbour.releases.mkdir(parents=True)
    written(neighbour, manifest(OLD, stack="other", images={"web": OLD_IMAGES["backend"]}))
    stage.roll(keep=1)
    assert f"image rm {OLD_IMAGES['backend']}" not in stage.events
    assert f"image rm {OLD_IMAGES['frontend']}" in stage.events
    assert neighbour.ids() == [OLD]


def test_an_image_that_is_gone_already_is_no_failure(stage: Stage) -> None:
    stage.engine.failing["image rm"] = "Error: No such image: x"
    stage.roll(keep=1)
    assert stage.directory.ids() == [NEW]


def test_releases_that_are_kept_lose_nothing(stage: Stage) -> None:
    stage.roll(keep=2)
    assert stage.directory.ids() == [NEW, OLD]
    assert not [event for event in stage.events if event.startswith("image rm")]


def test_what_killed_deploys_left_behind_is_removed_but_not_what_is_being_written(
    stage: Stage,
) -> None:
    left = stage.directory.temporary("20261122-100000-00000000")
    coming = stage.directory.temporary("20261124-000000-00000000")
    for path in (left, coming):
        (path / "secrets").mkdir(parents=True)
    stage.roll()
    assert not left.exists()
    assert coming.exists()


def test_a_prune_that_is_killed_leaves_no_broken_release(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        stage.roll(keep=1)
    assert [one.id for one in stage.directory.manifests()] == [NEW]


# one container ----------------------------------------------------------------------------------


def state(**changes: Any) -> dict[str, Any]:
    return {"RestartCount": changes.pop("RestartCount", 0)} | {
        "State": {"Running": True, "Status": "running", "OOMKilled": False, "ExitCode": 0} | changes
    }


def test_a_running_container_is_not_dead() -> None:
    assert dead(state(), settled=False) == ""
    assert dead(state(Status="created", Running=False), settled=False) == ""


class Application(BaseHTTPRequestHandler):
    """Answers as a strict application does: healthy only to its own host and over https."""

    def do_GET(self) -> None:
        right = (
            self.headers["Host"] == "shop.example.com"
            and self.headers["X-Forwarded-Proto"] == "https"
        )
        self.send_response({"/readyz": 200, "/moved": 301}.get(self.path, 503) if right else 400)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Application)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def asked(port: int | None, path: str = "/readyz", **health: Any) -> str:
    complete = {
        "path": path,
        "host": "shop.example.com",
        "proto": "https",
        "timeout": 1,
        "command": [],
    }
    return answer(
        state(), {"port": port, "health": complete | health}, "127.0.0.1" if port else None
    )


def test_a_container_is_asked_with_the_stacks_host_and_scheme(port: int) -> None:
    assert asked(port) == ""
    assert asked(port, host="other.example.com") == "/readyz answered 400 to Host other.example.com"
    assert asked(port, proto="http").startswith("/readyz answered 400")


def test_an_answer_below_400_is_healthy(port: int) -> None:
    assert asked(port, "/moved") == ""
    assert asked(port, "/broken") == "/broken answered 503 to Host shop.example.com"


def test_a_closed_port_is_told_with_its_address() -> None:
    assert asked(1).startswith("http://127.0.0.1:1/readyz does not answer")


def test_a_worker_and_a_command_inside_are_not_asked_over_http() -> None:
    assert asked(None) == ""
    assert asked(1, command=["check"]) == ""


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"Running": False}, "it is not running yet"),
        ({"Health": {"Status": "starting"}}, "its own health check says 'starting'"),
        ({"Health": {"Status": "unhealthy"}}, "its own health check says 'unhealthy'"),
    ],
)
def test_dockers_own_word_comes_first(changes: dict[str, Any], missing: str) -> None:
    assert answer(state(**changes), {"port": None, "health": {"command": []}}, None) == missing


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
