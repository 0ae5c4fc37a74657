"""Starting services, and waiting until they are healthy."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.start import (
    Starter,
    answer,
    dead,
    image_tag,
    routed,
    singletons,
    workers,
)

from tests.unit.release.fakes import DIGESTS, NEW
from tests.unit.roll.stage import Stage


@pytest.fixture
def starter(stage: Stage) -> Starter:
    return Starter(stage.directory, stage.engine, stage.time.clock())


def backend(number: int) -> str:
    return f"shop-{NEW}-backend-{number}"


def wait(starter: Starter, stage: Stage, *, settled: bool = False) -> None:
    starter.create(stage.new, [])
    starter.start(stage.new, routed(stage.new))
    starter.wait_until_healthy(stage.new, routed(stage.new), settled=settled)


# the services -----------------------------------------------------------------------------------


def test_every_service_is_routed_a_worker_or_a_singleton(stage: Stage) -> None:
    assert routed(stage.new) == ["backend", "frontend"]
    assert workers(stage.new) == ["worker"]
    assert singletons(stage.new) == ["scheduler"]


# start ------------------------------------------------------------------------------------------


def test_the_one_shots_do_not_run_again_and_nothing_is_pulled(
    starter: Starter, stage: Stage
) -> None:
    starter.create(stage.new, [])
    (up,) = [call for call in stage.engine.calls if "up" in call]
    assert {"--no-start", "--no-deps", "--no-recreate"} <= set(up)
    assert up[up.index("--pull") + 1] == "never"
    assert set(up[up.index("never") + 1 :]) == {
        *("backend-1", "backend-2", "frontend-1", "scheduler-1", "worker-1"),
    }


def test_what_is_made_does_not_run_before_it_is_started(starter: Starter, stage: Stage) -> None:
    before = stage.engine.running()
    starter.create(stage.new, [])
    assert stage.engine.running() == before
    starter.start(stage.new, ["frontend"])
    assert stage.engine.running() - before == {f"shop-{NEW}-frontend-1"}


def test_to_start_nothing_is_not_to_start_everything(starter: Starter, stage: Stage) -> None:
    starter.start(stage.new, [])
    assert stage.engine.calls == []


def test_images_are_named_after_the_release(starter: Starter, stage: Stage) -> None:
    starter.tag_images(stage.new)
    assert set(stage.events) == {f"tag {image_tag(stage.new, name)}" for name in DIGESTS}
    assert image_tag(stage.new, "backend") == f"slipway/shop-backend:{NEW}"


# healthy ----------------------------------------------------------------------------------------


def test_a_slow_but_good_release_is_waited_for(starter: Starter, stage: Stage) -> None:
    stage.missing[backend(2)] = "/readyz answered 503"
    stage.time.on_pause = lambda now: stage.missing.clear() if now > 55 else None
    wait(starter, stage)
    assert stage.time.seconds == pytest.approx(55.1, abs=0.2)


def test_a_container_that_is_healthy_once_is_not_asked_again(
    starter: Starter, stage: Stage
) -> None:
    stage.missing[backend(2)] = "not yet"
    stage.time.on_pause = lambda now: stage.missing.clear() if now > 1 else None
    wait(starter, stage)
    assert stage.events.count(f"probe {backend(1)}") == 1


def test_a_release_that_never_gets_healthy_ends_at_its_bound_with_its_last_words(
    starter: Starter, stage: Stage
) -> None:
    stage.missing[backend(2)] = "/readyz answered 503 to Host shop.example.com"
    with pytest.raises(ReleaseError) as caught:
        wait(starter, stage)
    message = str(caught.value)
    assert f"{backend(2)} was not healthy within 60 seconds (health.start_timeout)" in message
    assert "/readyz answered 503" in message
    assert "the last line" in message
    assert stage.time.seconds == pytest.approx(60.1, abs=0.2)


def test_a_container_that_is_not_there_ends_at_its_bound_too(
    starter: Starter, stage: Stage
) -> None:
    with pytest.raises(ReleaseError, match="there is no such container"):
        starter.wait_until_healthy(stage.new, ["backend"])
    assert stage.time.seconds == pytest.approx(60.1, abs=0.2)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ({"Status": "exited", "Running": False, "ExitCode": 3}, "ended with code 3"),
        ({"Status": "restarting", "Running": True, "ExitCode": 1}, "ended with code 1"),
        ({"Status": "dead", "Running": False, "ExitCode": 2}, "ended with code 2"),
        ({"RestartCount": 1, "ExitCode": 1}, "ended with code 1"),
        ({"Status": "exited", "Running": False, "OOMKilled": True}, "ran out of memory"),
    ],
)
def test_a_dead_container_ends_the_wait_at_once_with_its_logs(
    starter: Starter, stage: Stage, state: dict[str, Any], verdict: str
) -> None:
    stage.engine.new_state = state
    with pytest.raises(ReleaseError, match=verdict) as caught:
        wait(starter, stage)
    assert "the last line" in str(caught.value)
    assert stage.time.seconds == 0


def test_what_serves_may_have_been_restarted_in_its_life(starter: Starter, stage: Stage) -> None:
    stage.engine.new_state = {"RestartCount": 2, "OOMKilled": True}
    wait(starter, stage, settled=True)


def test_what_serves_and_does_not_run_is_dead(starter: Starter, stage: Stage) -> None:
    wait(starter, stage)
    stage.engine.set_running(backend(1), running=False)
    with pytest.raises(ReleaseError, match=f"{backend(1)} ended with code 0"):
        starter.wait_until_healthy(stage.new, ["backend"], settled=True)


# one container ----------------------------------------------------------------------------------


def state(**changes: Any) -> dict[str, Any]:
    return {"Id": "id", "RestartCount": changes.pop("RestartCount", 0)} | {
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
    service = {"port": port, "health": complete | health}
    return answer(Checked(), state(), service, "127.0.0.1" if port else None)


class Checked(Engine):
    """An engine in which the command `check` ends well, and notes how long it may take."""

    def execute(self, name: str, command: Sequence[str], timeout: float) -> str:
        assert (name, timeout) == ("id", 1)
        return "" if command == ["check"] else f"'docker exec' failed: {command}"


def test_a_container_is_asked_with_the_stacks_host_and_scheme(port: int) -> None:
    assert asked(port) == ""
    assert asked(port, host="other.example.com") == "/readyz answered 400 to Host other.example.com"
    assert asked(port, proto="http").startswith("/readyz answered 400")


def test_an_answer_below_400_is_healthy(port: int) -> None:
    assert asked(port, "/moved") == ""
    assert asked(port, "/broken") == "/broken answered 503 to Host shop.example.com"


def test_a_closed_port_is_told_with_its_address() -> None:
    assert asked(1).startswith("http://127.0.0.1:1/readyz does not answer")


def test_a_worker_is_not_asked_over_http() -> None:
    assert asked(None) == ""


def test_a_health_command_is_run_inside_and_nothing_is_asked_over_http() -> None:
    assert asked(1, command=["check"]) == ""
    assert asked(1, command=["broken"]) == "'docker exec' failed: ['broken']"


def test_a_health_command_does_not_wait_for_dockers_own_check() -> None:
    health = {"command": ["check"], "timeout": 1}
    starting = state(Health={"Status": "starting"})
    assert answer(Checked(), starting, {"port": None, "health": health}, None) == ""


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"Running": False}, "it is not running yet"),
        ({"Health": {"Status": "starting"}}, "its own health check says 'starting'"),
        ({"Health": {"Status": "unhealthy"}}, "its own health check says 'unhealthy'"),
    ],
)
def test_dockers_own_word_comes_first(changes: dict[str, Any], missing: str) -> None:
    service: dict[str, Any] = {"port": None, "health": {"command": []}}
    assert answer(Checked(), state(**changes), service, None) == missing
