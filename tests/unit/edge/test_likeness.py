"""Whether a new Traefik serves what the old one serves."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.likeness import difference, picture
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy

URL = "http://10.213.4.16:8000"


class Api:
    """Answers as Traefik's API does."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def get(self, path: str) -> Any:
        kind = path.removeprefix("/api/").partition("?")[0].replace("/", "_")
        return self.answers.get(kind, [])


def shown(**changes: Any) -> dict[str, Any]:
    """Read one router and its service."""
    router = {
        "name": "shop@file",
        "rule": "Host(`shop.example.com`)",
        "service": "shop-1-backend",
        "entryPoints": ["websecure"],
        "status": "enabled",
    }
    service = {
        "name": "shop-1-backend@file",
        "type": "loadbalancer",
        "status": "enabled",
        "loadBalancer": {"servers": [{"url": URL}]},
        "serverStatus": {URL: "UP"},
    }
    internal = {"name": "api@internal", "status": "enabled"}
    api = Api(
        http_routers=[{**router, **changes.get("router", {})}, internal],
        http_services=[{**service, **changes.get("service", {})}, internal],
    )
    return picture(cast("Proxy", api))


def test_the_same_is_no_difference() -> None:
    assert difference(shown(), shown()) == ""


def test_what_is_traefiks_own_is_not_compared() -> None:
    assert not [name for name in shown() if "internal" in name]


def test_what_another_version_shows_besides_is_not_compared() -> None:
    assert difference(shown(), shown(router={"observability": {"tracing": True}})) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"router": {"status": "disabled"}}, "status is disabled, not enabled"),
        ({"router": {"rule": "Host(`b`)"}}, "rule is"),
        ({"router": {"entryPoints": ["web"]}}, "entryPoints is"),
        ({"service": {"loadBalancer": {"servers": []}}}, "loadBalancer is"),
        ({"service": {"serverStatus": {URL: "DOWN"}}}, "up is"),
    ],
)
def test_what_visitors_would_notice_is_a_difference(change: dict[str, Any], said: str) -> None:
    assert said in difference(shown(), shown(**change))


def test_a_server_that_only_the_new_one_finds_up_is_no_difference() -> None:
    assert difference(shown(service={"serverStatus": {URL: "DOWN"}}), shown()) == ""


def test_what_is_missing_or_new_is_named_and_counted() -> None:
    assert "it lacks http/routers shop@file" in difference(shown(), {})
    assert "it has http/routers shop@file besides" in difference({}, shown())
    many: dict[str, Any] = {f"http/routers {number}@file": {} for number in range(5)}
    assert difference(many, {}).endswith("; and 2 more")
