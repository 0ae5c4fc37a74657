"""Traefik's dynamic files of a release: who gets where, and what stands in its way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils.definition import compose_definition
from ansible_collections.slipway.stack.plugins.module_utils.release import StackDirectory
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    PROBE_TOKEN,
    private_routes,
    probe_token,
    public_routes,
    read_routes,
    router_names,
    routes_text,
    service_by_router,
    with_token,
    without_token,
)

from tests.unit.release.fakes import (
    NEW,
    OLD,
    STACK,
    model,
    provisioned,
    release,
    with_service,
)
from tests.unit.roll.routing import Request, router_of

KEY = b"the host's own key"
TOKEN = probe_token(KEY, STACK)


def public(wanted: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the public routes as they lie on the host."""
    text = json.dumps(public_routes(wanted or model(), release(**changes)))
    found: dict[str, Any] = json.loads(with_token(text, KEY, STACK))
    return found


def http(wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = public(wanted)["http"]
    return found


def served_by(wanted: dict[str, Any], host: str, path: str) -> str | None:
    router = router_of(Request(path, host), public(wanted))
    return router["service"].removeprefix(f"{STACK}-{NEW}-") if router else None


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


def test_building_the_routes_leaves_the_model_as_it_was() -> None:
    wanted = model()
    before = json.dumps(wanted)
    public_routes(wanted, release())
    assert json.dumps(wanted) == before


# visitors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "frontend"),
        ("/notes", "frontend"),
        ("/api", "backend"),
        ("/api/", "backend"),
        ("/api/notes", "backend"),
        ("/apiary", "frontend"),
        ("/api-docs", "frontend"),
        ("/admin/login", "backend"),
    ],
)
@pytest.mark.parametrize("host", ["shop.example.com", "www.shop.example.com"])
def test_the_longest_whole_path_wins_on_every_domain(host: str, path: str, service: str) -> None:
    assert served_by(model(), host, path) == service


def test_a_foreign_host_is_served_by_nobody() -> None:
    assert served_by(model(), "example.org", "/api") is None


def test_a_service_with_domains_of_its_own_answers_those_alone() -> None:
    wanted = with_service("backend", domains=["api.example.com"], paths=["/"])
    assert served_by(wanted, "api.example.com", "/api") == "backend"
    assert served_by(wanted, "shop.example.com", "/api") == "frontend"


def test_a_longer_path_wins_over_a_shorter_one_of_another_service() -> None:
    wanted = with_service("frontend", paths=["/", "/api/docs"])
    assert served_by(wanted, "shop.example.com", "/api/docs/a") == "frontend"
    assert served_by(wanted, "shop.example.com", "/api/other") == "backend"


def test_a_worker_has_no_address_no_router_and_no_service() -> None:
    assert "edge" not in compose_definition(model(), release())["services"]["worker-1"]["networks"]
    assert not [name for name in [*http()["routers"], *http()["services"]] if "worker" in name]


def balancer(service: str, wanted: dict[str, Any] | None = None, kind: str = "_healthy") -> Any:
    """Return the load balancer of a service of the release that is being tried."""
    return http(wanted)["services"][f"shop-{NEW}-{service}{kind}"]["loadBalancer"]


@pytest.mark.parametrize("kind", ["_healthy", "_any"])
def test_a_service_is_balanced_over_all_its_replicas(kind: str) -> None:
    assert [server["url"] for server in balancer("backend", kind=kind)["servers"]] == [
        "http://10.213.4.32:8000",
        "http://10.213.4.33:8000",
    ]


def test_where_no_replica_is_well_any_of_them_is_asked() -> None:
    own = f"shop-{NEW}-backend"
    assert http()["services"][own] == {
        "failover": {"service": f"{own}_healthy", "fallback": f"{own}_any"}
    }
    assert "healthCheck" in balancer("backend")
    assert "healthCheck" not in balancer("backend", kind="_any")


def test_routes_and_compose_file_agree_on_every_address() -> None:
    urls = {
        server["url"]
        for name, service in http()["services"].items()
        if NEW in name and "loadBalancer" in service
        for server in service["loadBalancer"]["servers"]
    }
    assert urls == {
        f"http://{entry['networks']['edge']['ipv4_address']}:{port}"
        for name, entry in compose_definition(model(), release())["services"].items()
        for prefix, port in (("backend", 8000), ("frontend", 8080))
        if name.startswith(prefix)
    }


def test_traefik_asks_for_health_with_the_stacks_host_and_scheme() -> None:
    found = balancer("backend")["healthCheck"]
    assert found == {
        "path": "/readyz",
        "hostname": "shop.example.com",
        "headers": {"X-Forwarded-Proto": "https"},
        "interval": "2s",
        "timeout": "3s",
    }


def test_host_and_scheme_of_a_health_check_may_be_chosen() -> None:
    wanted = with_service("backend", health={"host": "internal", "proto": "http"})
    found = balancer("backend", wanted)["healthCheck"]
    assert (found["hostname"], found["headers"]) == ("internal", {"X-Forwarded-Proto": "http"})
    assert found["path"] == "/"


def test_a_health_command_takes_the_place_of_the_http_check() -> None:
    wanted = with_service("backend", health={"command": ["check"]})
    assert "healthCheck" not in balancer("backend", wanted, kind="")


def test_idle_connections_close_before_any_backend_closes_them() -> None:
    transport = http()["serversTransports"][balancer("backend")["serversTransport"]]
    assert transport["forwardingTimeouts"]["idleConnTimeout"] == "1s"


def test_every_router_is_for_https_and_names_the_release_in_a_header() -> None:
    for router in http()["routers"].values():
        assert router["entryPoints"] == ["websecure"]
        assert router["tls"] == {}
        assert "shop-headers" in router["middlewares"]
    headers = http()["middlewares"]["shop-headers"]["headers"]
    assert headers["customResponseHeaders"] == {"X-Slipway-Release": NEW}


def test_noindex_asks_search_engines_to_stay_away() -> None:
    chain = http(model(noindex=True))["middlewares"]
    headers = chain["shop-headers"]["headers"]["customResponseHeaders"]
    assert headers["X-Robots-Tag"] == "noindex, nofollow"


def test_basic_auth_guards_every_router_by_a_file_of_the_release() -> None:
    found = http(model(basic_auth=True))
    assert found["middlewares"]["shop-users"]["basicAuth"] == {
        "usersFile": f"/etc/slipway/dynamic/shop-{NEW}.users",
        "realm": "shop",
        "removeHeader": True,
    }
    for name, router in found["routers"].items():
        if not name.endswith("-probe"):
            assert router["middlewares"] == ["shop-page", "shop-headers", "shop-users"]


def test_router_names_do_not_depend_on_the_release() -> None:
    assert router_names(model()) == list(http()["routers"])
    assert router_names(model()) == [
        *("shop_backend_0", "shop_backend_0-probe", "shop_backend_1", "shop_backend_1-probe"),
        *("shop_frontend_0", "shop_frontend_0-probe"),
    ]


# the prober -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/notes", "/admin", "/about"])
def test_the_prober_reaches_what_visitors_reach_and_passes_what_guards_it(path: str) -> None:
    routes = public(model(basic_auth=True))
    visitor = router_of(Request(path), routes)
    prober = router_of(Request(path, headers={"X-Slipway-Probe": TOKEN}), routes)
    assert visitor
    assert prober
    assert prober["service"] == visitor["service"]
    assert prober["middlewares"] == ["shop-headers"]
    assert visitor["middlewares"] == ["shop-page", "shop-headers", "shop-users"]


def test_a_wrong_token_is_a_visitors() -> None:
    routes = public(model(basic_auth=True))
    request = Request(headers={"X-Slipway-Probe": TOKEN[:-1]})
    assert router_of(request, routes) == router_of(Request(), routes)


def test_no_application_sees_the_token() -> None:
    headers = http()["middlewares"]["shop-headers"]["headers"]
    assert headers["customRequestHeaders"]["X-Slipway-Probe"] == ""


def test_the_token_is_the_hosts_and_the_stacks_own() -> None:
    assert probe_token(KEY, "staging") != TOKEN
    assert probe_token(b"another host's key", STACK) != TOKEN
    assert re.fullmatch("[0-9a-f]{32}", TOKEN)


def test_the_token_is_shown_as_its_placeholder() -> None:
    text = routes_text(NEW, public_routes(model(), release()))
    inside = with_token(text, KEY, STACK)
    assert TOKEN not in text
    assert PROBE_TOKEN not in inside
    assert inside.count(TOKEN) == text.count(PROBE_TOKEN) == 3
    assert without_token(inside, KEY, STACK) == text


# the private way --------------------------------------------------------------------------------

PRIVATE = {"X-Slipway-Probe": TOKEN, "X-Slipway-Release": NEW}


@pytest.mark.parametrize("path", ["/", "/api/notes", "/admin"])
@pytest.mark.parametrize("serving", [OLD, NEW])
def test_both_headers_reach_the_release_that_is_tried(path: str, serving: str) -> None:
    serves, tried = public(id=serving), private_routes(public(), NEW)
    found = router_of(Request(path, headers=PRIVATE), serves, tried)
    usual = router_of(Request(path), public())
    assert found
    assert usual
    assert found["service"] == f"{usual['service']}.next"
    assert found["middlewares"] == ["shop-headers.next"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slipway-Probe": TOKEN},
        {"X-Slipway-Release": NEW},
        {"X-Slipway-Release": NEW, "X-Slipway-Probe": "guessed"},
        {"X-Slipway-Release": OLD, "X-Slipway-Probe": TOKEN},
    ],
)
def test_nobody_else_reaches_it(headers: dict[str, str]) -> None:
    serves, tried = public(id=OLD), private_routes(public(), NEW)
    request = Request("/api", headers=headers)
    assert router_of(request, serves, tried) == router_of(request, serves)


def test_the_private_way_has_no_name_of_the_public_one() -> None:
    serves, tried = public(model(basic_auth=True))["http"], private_routes(public(), NEW)["http"]
    for kind in ("routers", "services", "middlewares", "serversTransports"):
        assert tried[kind]
        assert not set(tried[kind]) & set(serves[kind])


def test_the_private_way_leads_to_the_same_addresses_and_is_complete() -> None:
    tried = private_routes(public(model(basic_auth=True)), NEW)["http"]
    assert set(tried["middlewares"]) == {"shop-headers.next"}
    for router in tried["routers"].values():
        for name in tried["services"][router["service"]]["failover"].values():
            found = tried["services"][name]["loadBalancer"]
            original = http()["services"][name.removesuffix(".next")]["loadBalancer"]
            assert found["serversTransport"] in tried["serversTransports"]
            assert found["servers"] == original["servers"]


# files ------------------------------------------------------------------------------------------


def test_a_file_says_who_serves_and_can_be_read_without_a_yaml_library(
    directory: StackDirectory,
) -> None:
    text = routes_text(NEW, public())
    directory.routes.write_text(text)
    assert directory.serving() == NEW
    assert read_routes(text) == yaml.safe_load(text) == public()


def test_what_is_no_file_of_ours_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        read_routes("# slipway release: x\nhttp: {}\n")


def test_what_traefik_has_to_show_is_each_router_with_its_service() -> None:
    found = service_by_router(public(id=OLD), private_routes(public(), NEW))
    assert found["shop_backend_0"] == found["shop_backend_0-probe"] == f"shop-{OLD}-backend"
    assert found["shop_backend_0-next"] == f"shop-{NEW}-backend.next"
    assert len(found) == 9
