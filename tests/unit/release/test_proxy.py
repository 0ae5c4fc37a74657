"""Traefik as the roll sees it."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import proxy as proxy_module
from ansible_collections.slipway.stack.plugins.module_utils.proxy import (
    TRAEFIK_GROUP,
    Proxy,
    publish_routes,
    release_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

from tests.unit.release.conftest import Chowned
from tests.unit.release.fakes import NEW, OLD, routes_text


@pytest.mark.parametrize(
    ("stack", "service", "release_id"),
    [
        ("app", f"app-{OLD}-backend", OLD),
        ("app", f"app-2-{OLD}-backend", None),
        ("app-2", f"app-2-{OLD}-backend", OLD),
        ("app", f"my-app-{OLD}-backend", None),
        ("app", f"app-{OLD}", None),
        ("app", "api@internal", None),
        ("app", "app-backend", None),
        ("app", f"app-20261122-101500-{NEW}-backend", None),
        ("app-20261122-101500", f"app-20261122-101500-{NEW}-backend", NEW),
    ],
)
def test_a_service_belongs_to_a_release_of_exactly_one_stack(
    stack: str, service: str, release_id: str | None
) -> None:
    assert release_of(stack, service) == release_id


class Answering(Proxy):
    """Traefik with given routers, each by name with the service that it leads to."""

    def __init__(self, routers: dict[str, str], status: str = "enabled") -> None:
        super().__init__("192.0.2.1")
        self.routers = [
            {"name": name, "service": service, "status": status}
            for name, service in routers.items()
        ]

    def get(self, path: str) -> Any:
        return self.routers


SHOWN = {
    "app-a@file": f"app-{NEW}-a",
    "app-a-next@file": f"app-{OLD}-a.next",
    "app-a@docker": f"app-{OLD}-a",
    "app-2-a@file": f"app-2-{OLD}-a",
    "api@internal": "api@internal",
}
WANTED = {"app-a": f"app-{NEW}-a", "app-a-next": f"app-{OLD}-a.next"}


def test_routes_are_shown_when_exactly_their_routers_lead_where_they_should() -> None:
    assert Answering(SHOWN).shows("app", WANTED)


@pytest.mark.parametrize(
    "shown",
    [
        SHOWN | {"app-b@file": f"app-{NEW}-b"},
        {name: service for name, service in SHOWN.items() if name != "app-a-next@file"},
        SHOWN | {"app-a@file": f"app-{OLD}-a"},
        SHOWN | {"app-a@file": f"app-{NEW}-b"},
        {},
    ],
    ids=["one too many", "one is missing", "another release", "another service", "none"],
)
def test_routes_are_not_shown_while_the_routers_are_others(shown: dict[str, str]) -> None:
    assert not Answering(shown).shows("app", WANTED)


def test_routes_are_not_shown_while_traefik_disables_one() -> None:
    assert not Answering(SHOWN, status="disabled").shows("app", WANTED)


def test_an_api_that_does_not_answer_is_an_error_that_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxy_module, "API_PORT", 1)
    with pytest.raises(ReleaseError, match=r"does not answer at 127\.0\.0\.1:1 .*traefik\.log"):
        Proxy("127.0.0.1").get("/api/overview")


def test_an_answer_that_is_cut_off_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(proxy_module, "API_PORT", server.getsockname()[1])

        def cut() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(ReleaseError, match="does not answer"):
            Proxy("127.0.0.1").get("/api/overview")
        thread.join()


def test_routes_are_published_for_traefik_alone_to_read(tmp_path: Path, chowned: Chowned) -> None:
    path = tmp_path / "shop.yml"
    publish_routes(path, routes_text(NEW))
    assert path.read_text() == routes_text(NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert chowned == {str(path): (-1, TRAEFIK_GROUP)}


def test_routes_that_traefik_would_take_for_a_template_are_not_published(tmp_path: Path) -> None:
    path = tmp_path / "shop.yml"
    path.write_text(routes_text(OLD))
    with pytest.raises(ReleaseError, match=r"hold '\{\{'.*stack_domain"):
        publish_routes(path, "rule: Host(`{{ env `PATH` }}`)")
    assert path.read_text() == routes_text(OLD)
    assert list(tmp_path.iterdir()) == [path]
