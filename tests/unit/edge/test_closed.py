"""Who answers while no release serves, and in the place of one that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.canary import canary_routes
from ansible_collections.slipway.stack.plugins.module_utils.closed import (
    STAFF_COOKIE,
    fallback_routes,
    maintenance_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.edge_routes import EdgeRoutes
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    private_routes,
    probe_token,
    public_routes,
    with_token,
)

from tests.unit.release.fakes import NEW, OLD, STACK, FakeTime, edge, model, provisioned, release
from tests.unit.roll.routing import Request, router_of

KEY = b"the host's own key"
PROBE = {"X-Slipway-Probe": probe_token(KEY, STACK)}
TOKEN = "correct-horse-battery-staple"
STAFF = "192.0.2.7"
WANTED = model(edge=edge(redirects=["old.example.com"], staff_addresses=[f"{STAFF}/32"]))
HOSTS = ["shop.example.com", "www.shop.example.com", "old.example.com"]


def public(release_id: str = NEW) -> dict[str, Any]:
    text = json.dumps(public_routes(WANTED, release(id=release_id)))
    found: dict[str, Any] = json.loads(with_token(text, KEY, STACK))
    return found


def answers(request: Request, *files: dict[str, Any]) -> str:
    """Name the service that a request is led to."""
    router = router_of(request, *files)
    assert router
    return str(router["service"])


# nobody serves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/api/notes"])
def test_without_a_release_every_name_of_the_stack_is_answered(host: str, path: str) -> None:
    fallback = fallback_routes(WANTED)
    assert answers(Request(path, host), fallback) == f"{STACK}.fallback-nobody"
    assert router_of(Request(path, "example.org"), fallback) is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_release_answers_before_the_fallback_does(host: str) -> None:
    request = Request("/", host)
    assert answers(request, fallback_routes(WANTED), public()) == answers(request, public())


def test_what_answers_is_the_page_and_no_request_reaches_it() -> None:
    http = fallback_routes(WANTED)["http"]
    name = f"{STACK}.fallback"
    assert http["services"][f"{name}-nobody"] == {"loadBalancer": {"servers": []}}
    errors = http["middlewares"][f"{name}-page"]["errors"]
    assert errors["service"] == f"{name}-page"
    assert errors["query"] == f"/{STACK}?after=10"
    assert errors["errorRequestHeaders"] == ["Accept"]


def test_a_release_that_cannot_answer_is_answered_for_by_the_page() -> None:
    http = public()["http"]
    for name, router in http["routers"].items():
        assert (f"{STACK}-page" in router["middlewares"]) == (
            not name.endswith(("-probe", "_redirect"))
        )
    assert f"{STACK}-page" in http["services"]
    assert http["middlewares"][f"{STACK}-page"]["errors"]["status"] == ["502-504"]


def test_files_of_a_stack_share_no_name() -> None:
    files = [
        public(),
        private_routes(public(), NEW),
        fallback_routes(WANTED),
        maintenance_routes(WANTED, 60, TOKEN),
    ]
    for kind in ("routers", "services", "middlewares"):
        names = [name for one in files for name in one["http"][kind]]
        assert len(names) == len(set(names)), kind


# maintenance ------------------------------------------------------------------------------------


def canary() -> dict[str, Any]:
    return canary_routes(
        STACK, public(OLD), public(NEW), old_id=OLD, new_id=NEW, percent=5, steps=[5]
    )


@pytest.mark.parametrize("serving", [public(), canary()], ids=["release", "canary"])
@pytest.mark.parametrize("path", ["/", "/api/notes", "/admin"])
def test_a_maintenance_holds_for_visitors_and_for_nobody_else(
    path: str, serving: dict[str, Any]
) -> None:
    closed = maintenance_routes(WANTED, 60, TOKEN)
    visitor = Request(path, address="198.51.100.1", headers={"Cookie": "slipway-shop=1"})
    assert answers(visitor, serving, closed) == f"{STACK}.maintenance-nobody"
    for passes in (
        Request(path, address=STAFF),
        Request(path, headers={"Cookie": f"a=b; {STAFF_COOKIE}={TOKEN}; c=d"}),
        Request(path, headers=PROBE),
        Request(path, headers={**PROBE, "X-Slipway-Release": NEW}),
    ):
        assert answers(passes, serving, closed) == answers(passes, serving)


@pytest.mark.parametrize(
    "cookie", ["", TOKEN, f"{STAFF_COOKIE}={TOKEN}x", f"x{STAFF_COOKIE}={TOKEN}", STAFF_COOKIE]
)
def test_no_other_cookie_passes(cookie: str) -> None:
    request = Request(headers={"Cookie": cookie})
    closed = maintenance_routes(WANTED, 60, TOKEN)
    assert answers(request, public(), closed) == f"{STACK}.maintenance-nobody"


def test_the_private_way_is_open_in_a_maintenance() -> None:
    closed, tried = maintenance_routes(WANTED, 60, TOKEN), private_routes(public(), NEW)
    request = Request("/api", headers={**PROBE, "X-Slipway-Release": NEW})
    assert answers(request, public(OLD), tried, closed) == f"{STACK}-{NEW}-backend.next"


def test_the_staff_s_link_gives_the_cookie_and_is_logged_nowhere() -> None:
    closed = maintenance_routes(WANTED, 60, TOKEN)
    router = router_of(Request(f"/slipway-staff/{TOKEN}"), public(), closed)
    assert router
    assert router["observability"] == {"accessLogs": False}
    headers = closed["http"]["middlewares"][router["middlewares"][0]]["headers"]
    cookie = headers["customResponseHeaders"]["Set-Cookie"]
    assert cookie.startswith(f"{STAFF_COOKIE}={TOKEN}; ")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert attribute in cookie.split("; ")


def test_without_a_token_there_is_no_link_and_no_cookie_passes() -> None:
    closed = maintenance_routes(WANTED, 60, "")
    assert set(closed["http"]["routers"]) == {f"{STACK}.maintenance"}
    request = Request(headers={"Cookie": f"{STAFF_COOKIE}="})
    assert answers(request, public(), closed) == f"{STACK}.maintenance-nobody"


def test_without_any_staff_everybody_meets_the_page() -> None:
    closed = maintenance_routes(model(), 900, "")
    assert answers(Request(), public(), closed) == f"{STACK}.maintenance-nobody"
    errors = closed["http"]["middlewares"][f"{STACK}.maintenance-page"]["errors"]
    assert errors["query"] == f"/{STACK}?after=900"


# on the host ------------------------------------------------------------------------------------


class FakeTraefik(Proxy):
    """Shows the routers of a file, unless it does not take it."""

    def __init__(self, path: Path) -> None:
        super().__init__("10.213.0.2")
        self.path = path
        self.takes = True

    def get(self, path: str) -> Any:
        assert path.startswith("/api/http/routers")
        if not (self.takes and self.path.exists()):
            return []
        routers = json.loads(self.path.read_text())["http"]["routers"]
        return [
            {"name": f"{name}@file", "rule": router["rule"], "status": "enabled"}
            for name, router in routers.items()
        ]


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


def settled(directory: StackDirectory) -> tuple[EdgeRoutes, FakeTraefik]:
    traefik = FakeTraefik(directory.dynamic / f"{STACK}.maintenance.yml")
    return EdgeRoutes(directory, "maintenance", lambda: traefik, FakeTime().clock()), traefik


def test_routes_are_published_once_and_taken_away_once(directory: StackDirectory) -> None:
    edge_routes, _ = settled(directory)
    wanted = maintenance_routes(WANTED, 60, TOKEN)
    assert edge_routes.settle(wanted, check=True)
    assert not edge_routes.path.exists()
    assert edge_routes.settle(wanted)
    assert json.loads(edge_routes.path.read_text()) == wanted
    assert edge_routes.path.stat().st_mode & 0o777 == 0o640
    assert not edge_routes.settle(wanted)
    assert edge_routes.settle(None)
    assert not edge_routes.path.exists()
    assert not edge_routes.settle(None)


def test_a_traefik_that_does_not_take_them_is_an_error_without_the_token(
    directory: StackDirectory,
) -> None:
    edge_routes, traefik = settled(directory)
    traefik.takes = False
    with pytest.raises(ReleaseError, match=r"did not take .*shop\.maintenance\.yml") as error:
        edge_routes.settle(maintenance_routes(WANTED, 60, TOKEN))
    assert TOKEN not in str(error.value)


def test_a_host_that_is_not_provisioned_is_told_so(tmp_path: Path) -> None:
    edge_routes, _ = settled(StackDirectory(tmp_path, STACK))
    with pytest.raises(ReleaseError, match=r"playbooks/provision\.yml"):
        edge_routes.settle(maintenance_routes(WANTED, 60, TOKEN))
