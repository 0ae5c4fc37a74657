"""The program that answers when no application does."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/edge/files/page.py"


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page = program()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    (tmp_path / "shop.html").write_text("<p>the shop\u2019s own")
    listening = socket.create_server(("127.0.0.1", 0))
    server = page.Server(listening, tmp_path)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(
    address: tuple[str, int], path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_a_stack_s_page_comes_with_503_and_is_kept_by_nobody(address: tuple[str, int]) -> None:
    answer, body = asked(address, "/shop?after=900")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "900"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert body == "<p>the shop\u2019s own"


@pytest.mark.parametrize(
    "path", ["/", "/other", "/../shop", "/%2e%2e/shop", "/a/b", "/" + "a" * 300]
)
def test_whoever_has_no_page_gets_a_plain_one(address: tuple[str, int], path: str) -> None:
    answer, body = asked(address, path)
    assert answer.status == 503
    assert body == page.PLAIN


@pytest.mark.parametrize("query", ["", "?after=", "?after=x", "?after=-1", "?after=1234567"])
def test_without_a_sound_time_visitors_try_again_soon(address: tuple[str, int], query: str) -> None:
    answer, _ = asked(address, f"/shop{query}")
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("application/problem+json, application/json;q=0.9", "application/json"),
        ("text/html,application/json;q=0.9", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
    ],
)
def test_programs_get_json(address: tuple[str, int], accept: str, kind: str) -> None:
    answer, body = asked(address, "/shop?after=5", Accept=accept)
    assert answer.status == 503
    assert answer.headers["Content-Type"].startswith(kind)
    if kind == "application/json":
        assert json.loads(body) == {"error": "unavailable", "retry_after": 5}


def test_a_head_gets_no_body(address: tuple[str, int]) -> None:
    answer, body = asked(address, "/shop", "HEAD")
    assert (answer.status, body) == (503, "")


def test_one_connection_serves_many_questions(address: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*address, timeout=5)
    for _ in range(3):
        connection.request("GET", "/shop")
        assert connection.getresponse().read()
    connection.close()
