"""The routes of a canary: who sees which release, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.canary import (
    buckets,
    canary_routes,
    cookie_value,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import release_of
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    private_routes,
    probe_token,
    public_routes,
    service_by_router,
    with_token,
)

from tests.unit.release.fakes import NEW, OLD, STACK, model, release, with_service
from tests.unit.roll.routing import Request, leaves, router_of, shares

STEPS = [5, 25]
KEY = b"the host's own key"
TOKEN = probe_token(KEY, STACK)
PROBE = {"X-Slipway-Probe": TOKEN}
PATHS = ["/", "/about", "/api/notes", "/admin"]


def public(release_id: str, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    bank = 1 if release_id == OLD else 2
    text = json.dumps(public_routes(wanted or model(), release(id=release_id, bank=bank)))
    found: dict[str, Any] = json.loads(with_token(text, KEY, STACK))
    return found


def canary(
    percent: int = 5,
    steps: list[int] | None = None,
    *,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return canary_routes(
        STACK,
        public(OLD, old),
        public(NEW, new),
        old_id=OLD,
        new_id=NEW,
        percent=percent,
        steps=steps or STEPS,
    )


def cookies(routes: dict[str, Any]) -> dict[str, str]:
    """Return every cookie that a visitor may be given, with the release that comes with it."""
    found = {}
    for service in routes["http"]["services"].values():
        for child in service.get("weighted", {}).get("services", []):
            if "sticky" in service["weighted"]:
                (leaf,) = leaves(child["name"], routes)
                found[cookie_value(child["name"])] = release_of(STACK, leaf[0]) or ""
    return found


def visitor(path: str, cookie: str) -> Request:
    return Request(path, headers={"Cookie": f"session=1; slipway-{STACK}={cookie}; lang=de"})


def releases(request: Request, routes: dict[str, Any]) -> dict[str, float]:
    """Return the share of each release, having checked that its answers say the truth."""
    found: dict[str, float] = {}
    for (named, service), share in shares(request, routes).items():
        assert named == release_of(STACK, service)
        found[named] = round(found.get(named, 0) + share, 9)
    return found


# the draw ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "steps", "expected"),
    [
        (5, [5, 25], {"5": ("new", 5), "25": ("old", 20), "100": ("old", 75)}),
        (25, [5, 25], {"5": ("new", 5), "25": ("new", 20), "100": ("old", 75)}),
        (5, [5, 25, 100], {"5": ("new", 5), "25": ("old", 20), "100": ("old", 75)}),
        (100, [100], {"100": ("new", 100)}),
    ],
)
def test_buckets_lie_between_the_steps(percent: int, steps: list[int], expected: Any) -> None:
    assert buckets(percent, steps) == expected


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("percent", STEPS)
def test_newcomers_are_drawn_by_the_percent_of_the_step(path: str, percent: int) -> None:
    assert releases(Request(path), canary(percent)) == {
        NEW: percent / 100,
        OLD: 1 - percent / 100,
    }


@pytest.mark.parametrize("percent", STEPS)
def test_whoever_was_drawn_anywhere_sees_one_release_everywhere(percent: int) -> None:
    routes = canary(percent)
    assert set(cookies(routes).values()) == {OLD, NEW}
    for value, drawn in cookies(routes).items():
        for path in PATHS:
            assert releases(visitor(path, value), routes) == {drawn: 1}


def test_the_page_stands_before_a_draw_so_that_no_application_takes_its_cookie_away() -> None:
    http = canary()["http"]
    drawing = [one for one in http["routers"].values() if one["service"].endswith(".at-5")]
    visited = [one for one in drawing if "sticky" in http["services"][one["service"]]["weighted"]]
    assert visited
    for router in visited:
        assert router["middlewares"] == [f"{STACK}-page.{OLD}"]
        for child in http["services"][router["service"]]["weighted"]["services"]:
            behind = http["services"][child["name"]]["middlewares"]
            assert behind
            assert not [one for one in behind if "-page." in one]


def test_a_higher_step_moves_whole_buckets_to_the_new_release_and_nobody_back() -> None:
    before, after = cookies(canary(5)), cookies(canary(25))
    assert before.keys() == after.keys()
    moved = {value for value in before if before[value] != after[value]}
    assert {before[value] for value in moved} == {OLD}
    assert moved
    assert [value for value in before if before[value] == after[value] == OLD]


@pytest.mark.parametrize("cookie", ["0123456789abcdef", "", "x" * 4000])
def test_a_cookie_that_no_draw_gave_is_none(cookie: str) -> None:
    assert releases(visitor("/", cookie), canary(5)) == {NEW: 0.05, OLD: 0.95}


@pytest.mark.parametrize(
    "text", ["x{}", "slipway-other={}", "slipway-shop={}0", "a=slipway-shop{}"]
)
def test_other_cookies_are_not_taken_for_ours(text: str) -> None:
    value = next(iter(cookies(canary())))
    request = Request(headers={"Cookie": text.format(value)})
    assert len(releases(request, canary())) == 2


def test_the_cookie_is_as_confined_as_a_cookie_can_be() -> None:
    sticky = [
        service["weighted"]["sticky"]["cookie"]
        for service in canary()["http"]["services"].values()
        if "sticky" in service.get("weighted", {})
    ]
    assert sticky
    for cookie in sticky:
        assert cookie == {
            "name": "slipway-shop",
            "secure": True,
            "httpOnly": True,
            "sameSite": "lax",
            "maxAge": 86_400,
        }


def test_a_cookies_value_is_the_one_that_traefik_gives() -> None:
    # Seen at Traefik 3.7.15.
    assert cookie_value("shop-20261122-183000-b81d02aa-draw.1.5") == "aa7a2adfebdca269"


def test_outside_of_a_canary_the_cookie_means_nothing() -> None:
    for value in cookies(canary()):
        assert releases(visitor("/", value), public(OLD)) == {OLD: 1}
        assert releases(visitor("/", value), public(NEW)) == {NEW: 1}


def test_the_last_step_may_be_everybody() -> None:
    routes = canary(100)
    assert releases(Request(), routes) == {NEW: 1}
    for value in cookies(canary(5)):
        assert releases(visitor("/api", value), routes) == {NEW: 1}


# what comes before the application --------------------------------------------------------------


def guards(request: Request, routes: dict[str, Any]) -> dict[str, set[str]]:
    """Return the files of users that stand before each release."""
    router = router_of(request, routes)
    assert router
    found: dict[str, set[str]] = {}
    for service, middlewares, _ in leaves(router["service"], routes, tuple(router["middlewares"])):
        files = [
            routes["http"]["middlewares"][name]["basicAuth"]["usersFile"]
            for name in middlewares
            if "basicAuth" in routes["http"]["middlewares"][name]
        ]
        found.setdefault(release_of(STACK, service) or "", set()).update(files)
    return found


def test_each_release_has_its_own_protection() -> None:
    guarded = model(basic_auth=True)
    files = {one: {f"/etc/slipway/dynamic/shop-{one}.users"} for one in (OLD, NEW)}
    both, one = canary(old=guarded, new=guarded), canary(new=guarded)
    assert guards(Request("/api"), both) == files
    assert guards(Request("/api"), one) == {OLD: set(), NEW: files[NEW]}
    for value, drawn in cookies(both).items():
        assert guards(visitor("/", value), both) == {drawn: files[drawn]}
    for side in (OLD, NEW):
        request = Request(headers={**PROBE, "X-Slipway-Release": side})
        assert guards(request, both) == {side: set()}
    assert guards(Request(headers=PROBE), both) == {OLD: set(), NEW: set()}


# the prober -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("percent", STEPS)
def test_the_prober_asks_both_releases_alike(path: str, percent: int) -> None:
    routes = canary(percent)
    assert releases(Request(path, headers=PROBE), routes) == {OLD: 0.5, NEW: 0.5}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("chosen", [OLD, NEW])
def test_the_prober_may_choose(path: str, chosen: str) -> None:
    request = Request(path, headers={**PROBE, "X-Slipway-Release": chosen})
    assert releases(request, canary()) == {chosen: 1}


def test_visitors_may_not_choose() -> None:
    request = Request(headers={"X-Slipway-Release": NEW})
    assert releases(request, canary()) == {NEW: 0.05, OLD: 0.95}


def test_the_private_way_stays_above_a_canary() -> None:
    private = private_routes(public(NEW), NEW)
    request = Request(headers={**PROBE, "X-Slipway-Release": NEW})
    assert router_of(request, canary(), private) == router_of(request, private)


# releases that answer different things ----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "old_service", "new_service"),
    [
        ("/", "frontend", "frontend"),
        ("/api/notes", "backend", "backend"),
        ("/admin", "backend", "frontend"),
        ("/graph", "frontend", "backend"),
        ("/api/docs/a", "backend", "frontend"),
    ],
)
def test_paths_that_only_one_release_knows_lead_to_what_each_makes_of_them(
    path: str, old_service: str, new_service: str
) -> None:
    new = with_service("backend", paths=["/api", "/graph"])
    new["services"]["frontend"]["paths"] = ["/", "/api/docs"]
    routes = canary(new=new)
    expected = {f"shop-{OLD}-{old_service}": 0.95, f"shop-{NEW}-{new_service}": 0.05}
    found = shares(Request(path), routes)
    assert {service: share for (_, service), share in found.items()} == expected
    for value, drawn in cookies(routes).items():
        service = old_service if drawn == OLD else new_service
        assert shares(visitor(path, value), routes) == {(drawn, f"shop-{drawn}-{service}"): 1}
    assert releases(Request(path, headers=PROBE), routes) == {OLD: 0.5, NEW: 0.5}


def test_a_host_that_only_one_release_knows_is_answered_by_that_one() -> None:
    wanted = model(domain_aliases=["shop.example.org"])
    routes = canary(new=wanted)
    only_new = Request("/api", host="shop.example.org")
    only_old = Request("/api", host="www.shop.example.com")
    assert releases(only_new, routes) == {NEW: 1}
    assert releases(only_old, routes) == {OLD: 1}
    assert releases(Request("/api"), routes) == {NEW: 0.05, OLD: 0.95}


# the file ---------------------------------------------------------------------------------------


def test_everything_that_is_used_is_there() -> None:
    http = canary(old=model(basic_auth=True), new=with_service("backend", paths=["/x"]))["http"]
    used = {name for router in http["routers"].values() for name in router["middlewares"]}
    for service in http["services"].values():
        used |= set(service.get("middlewares", []))
        for child in service.get("weighted", {}).get("services", []):
            assert child["name"] in http["services"]
        if "loadBalancer" in service:
            assert service["loadBalancer"]["serversTransport"] in http["serversTransports"]
    assert used == set(http["middlewares"])
    assert {router["service"] for router in http["routers"].values()} <= set(http["services"])


def test_traefik_shows_each_step_unlike_every_other() -> None:
    files = [public(OLD), canary(5), canary(25), public(NEW)]
    shown = [service_by_router(one) for one in files]
    assert all(one not in shown[:number] for number, one in enumerate(shown))


def test_every_router_can_be_told_to_be_the_stacks_by_its_service() -> None:
    for service in service_by_router(canary()).values():
        assert release_of(STACK, service) in {OLD, NEW}
