"""What the engine is told over its socket, and what its answers mean."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import engine_api
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError

NAME = "shop-1-backend-1"


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens where the engine does; `asked` is what it was told, `answers` what it says."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: tuple[int, Any] = (204, None)
        self.seconds = 0.0

    def get_request(self) -> tuple[Any, Any]:
        connection, _ = super().get_request()
        return connection, ("engine", 0)  # what a request handler expects of an address


class Handler(BaseHTTPRequestHandler):
    """Answers as it is told to."""

    server: Daemon

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, json.loads(body or b"null")))
        time.sleep(self.server.seconds)
        status, answer = self.server.answer
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_DELETE = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(engine_api, "SOCKET", str(path))
    with Daemon(path) as daemon:
        threading.Thread(target=daemon.serve_forever, args=(0.01,), daemon=True).start()
        yield daemon
        daemon.shutdown()


def test_an_image_gets_a_name_by_its_repository_and_tag(daemon: Daemon) -> None:
    Engine().tag("example.com/app@sha256:1", "slipway/shop-app:20261126")
    path = "/images/example.com/app%40sha256%3A1/tag?repo=slipway/shop-app&tag=20261126"
    assert daemon.asked == [("POST", path, None)]


def test_a_weight_is_set_as_shares(daemon: Daemon) -> None:
    Engine().weigh(NAME, 128)
    assert daemon.asked == [("POST", f"/containers/{NAME}/update", {"CpuShares": 128})]


@pytest.mark.parametrize("status", [204, 304])
def test_what_is_so_already_is_well(daemon: Daemon, status: int) -> None:
    daemon.answer = (status, None)
    Engine().start(NAME)
    Engine().stop(NAME, timeout=1)
    verbs = [path.rpartition("/")[2] for _, path, _ in daemon.asked]
    assert verbs == ["start", "stop"]


def test_a_container_that_ended_has_a_code(daemon: Daemon) -> None:
    daemon.answer = (200, {"StatusCode": 3})
    assert Engine().wait(NAME, timeout=1) == 3


def test_what_does_not_end_in_time_is_an_error(daemon: Daemon) -> None:
    daemon.seconds = 0.3
    with pytest.raises(EngineError, match=rf"'POST /containers/{NAME}/wait' did not end within"):
        Engine().wait(NAME, timeout=0.1)


@pytest.mark.parametrize("status", [204, 404])
def test_a_container_is_gone_also_when_it_was_before(daemon: Daemon, status: int) -> None:
    daemon.answer = (status, {"message": "No such container"} if status == 404 else None)
    Engine().remove(NAME)
    assert daemon.asked == [("DELETE", f"/containers/{NAME}?force=true&v=0", None)]


def test_its_nameless_volumes_go_only_when_that_is_asked(daemon: Daemon) -> None:
    Engine().remove(NAME, volumes=True)
    assert daemon.asked[0][1].endswith("&v=1")


def test_a_refusal_is_told_in_the_engines_own_words(daemon: Daemon) -> None:
    daemon.answer = (409, {"message": "conflict: unable to delete it"})
    with pytest.raises(EngineError, match=r"^conflict: unable to delete it$"):
        Engine().remove_image("slipway/shop-app:1")
    with pytest.raises(EngineError, match=f"{NAME} cannot be removed: .*conflict"):
        Engine().remove(NAME)
