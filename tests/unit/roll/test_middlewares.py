"""What visitors pass on their way in, and what the prober and large bodies pass."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.middlewares import (
    above,
    byte_count,
    rule_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    probe_token,
    public_routes,
    with_token,
)

from tests.unit.release.fakes import NEW, STACK, edge, model, release, with_service
from tests.unit.roll.routing import Request, router_of

TOKEN = probe_token(b"the host's own key", STACK)
LIMIT = {"requests": 10, "seconds": 60}
EVERYTHING = edge(
    headers={"X-Frame-Options": "DENY", "Server": ""},
    policies={"/": "default-src 'self'", "/admin": "script-src 'none'", "/media": ""},
    rate_limits={"/admin/login": LIMIT, "/api": {"requests": 50, "burst": 200}},
    max_body={"/": "1m", "/api/upload": "20m"},
    compress=True,
    addresses=["192.0.2.0/24"],
    redirects=["old.example.com"],
)


def public(wanted: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(public_routes(wanted, release()))
    found: dict[str, Any] = json.loads(with_token(text, b"the host's own key", STACK))
    return found


def chain(path: str, wanted: dict[str, Any], **request: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return what a request passes, in order: each middleware's kind and options."""
    routes = public(wanted)
    router = router_of(Request(path, **request), routes)
    assert router
    found = [routes["http"]["middlewares"][name] for name in router["middlewares"]]
    return [next(iter(one.items())) for one in found]


def kinds(path: str, wanted: dict[str, Any], **request: Any) -> list[str]:
    return [kind for kind, _ in chain(path, wanted, **request)]


def headers_of(path: str, wanted: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = dict(chain(path, wanted))["headers"]["customResponseHeaders"]
    return found


# by path ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/", "default-src 'self'"),
        ("/about", "default-src 'self'"),
        ("/api/notes", "default-src 'self'"),
        ("/admin", "script-src 'none'"),
        ("/admin/login/", "script-src 'none'"),
        ("/administrator", "default-src 'self'"),
        ("/media/a.html", None),
    ],
)
def test_the_policy_of_the_longest_path_counts(path: str, policy: str | None) -> None:
    found = headers_of(path, model(edge=EVERYTHING))
    assert found.get("Content-Security-Policy") == policy
    assert found["X-Frame-Options"] == "DENY"
    assert found["X-Slipway-Release"] == NEW


@pytest.mark.parametrize(
    ("path", "average"), [("/admin/login/", 10), ("/api", 50), ("/api/x", 50), ("/admin", None)]
)
def test_a_rate_limit_holds_for_what_lies_below_its_path(path: str, average: int | None) -> None:
    limit = dict(chain(path, model(edge=EVERYTHING))).get("rateLimit", {})
    assert limit.get("average") == average


def test_a_rate_limit_counts_by_address_and_ipv6_household() -> None:
    limits = [
        dict(chain(path, model(edge=EVERYTHING)))["rateLimit"] for path in ("/admin/login", "/api")
    ]
    assert [(one["period"], one["burst"]) for one in limits] == [("60s", 10), ("1s", 200)]
    for limit in limits:
        assert limit["sourceCriterion"] == {"ipStrategy": {"ipv6Subnet": 64}}


def test_a_rule_leads_to_the_service_that_answers_its_path() -> None:
    routes = public(model(edge=EVERYTHING))
    for path, service in (("/admin/login", "backend"), ("/media/x", "frontend")):
        router = router_of(Request(path), routes)
        assert router
        assert router["service"] == f"{STACK}-{NEW}-{service}"


def test_a_rule_on_a_domain_that_another_service_answers_leads_there() -> None:
    wanted = with_service("backend", domains=["api.example.com", "shop.example.com"])
    wanted["edge"] = edge(rate_limits={"/api/login": LIMIT})
    routes = public(wanted)
    for host, service in (
        ("api.example.com", "backend"),
        ("shop.example.com", "backend"),
        ("www.shop.example.com", "frontend"),
    ):
        router = router_of(Request("/api/login", host), routes)
        assert router
        assert router["service"] == f"{STACK}-{NEW}-{service}"


def test_visitors_pass_who_may_enter_before_what_costs_something() -> None:
    wanted = model(edge=EVERYTHING, basic_auth=True)
    assert kinds("/admin/login", wanted) == [
        "errors",
        "headers",
        "compress",
        "ipAllowList",
        "rateLimit",
        "basicAuth",
    ]


def test_the_prober_passes_the_headers_alone_wherever_it_asks() -> None:
    wanted = model(edge=EVERYTHING, basic_auth=True)
    for path in ("/", "/api/notes", "/admin/login"):
        assert kinds(path, wanted, headers={"X-Slipway-Probe": TOKEN}) == ["headers"]


def test_nothing_is_defined_that_no_visitor_passes() -> None:
    assert set(public(model())["http"]["middlewares"]) == {f"{STACK}-headers", f"{STACK}-page"}


def test_without_rules_each_path_of_a_service_has_a_router_and_its_twin() -> None:
    assert len(public(model())["http"]["routers"]) == 6


@pytest.mark.parametrize(
    ("path", "rule"),
    [("/", "/"), ("/a", "/a/"), ("/a/b", "/a/"), ("/ab", "/"), ("/a/c/d", "/a/c")],
)
def test_the_longest_rule_wins(path: str, rule: str) -> None:
    assert rule_of({"/": 1, "/a/": 2, "/a/c": 3}, path) == rule


def test_no_rule_is_about_a_path_above_all() -> None:
    assert rule_of({"/a": 1}, "/b") is None


# other names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/notes", "/media/x"])
def test_a_name_that_redirects_does_so_on_every_path(path: str) -> None:
    assert kinds(path, model(edge=EVERYTHING), host="old.example.com") == [
        "headers",
        "redirectRegex",
    ]


def test_a_redirect_keeps_path_and_query() -> None:
    options = public(model(edge=EVERYTHING))["http"]["middlewares"]["shop-redirect"]
    redirect = options["redirectRegex"]
    assert redirect["permanent"] is True
    replaced = redirect["replacement"].replace("${1}", r"\1")
    for asked in ("/", "/a/b?x=//y"):
        target = re.sub(redirect["regex"], replaced, f"https://old.example.com:8443{asked}")
        assert target == f"https://shop.example.com{asked}"


# bodies -----------------------------------------------------------------------------------------


def sent(length: int | None, method: str = "POST") -> dict[str, Any]:
    return {
        "method": method,
        "headers": {} if length is None else {"Content-Length": str(length)},
    }


@pytest.mark.parametrize(
    ("path", "length", "stopped"),
    [
        ("/about", 1024**2, False),
        ("/about", 1024**2 + 1, True),
        ("/api/upload/x", 20 * 1024**2, False),
        ("/api/upload/x", 20 * 1024**2 + 1, True),
        ("/admin/login", 10**9, True),
    ],
)
def test_a_body_that_is_too_large_is_stopped_and_all_others_pass_uncollected(
    path: str, length: int, *, stopped: bool
) -> None:
    wanted = model(edge=EVERYTHING)
    found = kinds(path, wanted, **sent(length))
    assert found[-2:] == ["inFlightReq", "buffering"] if stopped else "buffering" not in found
    assert found[: len(kinds(path, wanted))] == kinds(path, wanted)


@pytest.mark.parametrize(
    ("method", "collected"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)]
)
def test_a_body_of_unknown_length_is_collected(method: str, *, collected: bool) -> None:
    found = kinds("/about", model(edge=EVERYTHING), **sent(None, method))
    assert ("buffering" in found) == collected


def test_what_is_collected_fits_into_the_memory_of_traefik() -> None:
    for path, most in (("/about", 1024**2), ("/api/upload", 4 * 1024**2)):
        options = dict(chain(path, model(edge=EVERYTHING), **sent(None)))["buffering"]
        assert options["maxRequestBodyBytes"] == most
        assert options["memRequestBodyBytes"] == most


def test_without_a_limit_no_body_is_looked_at() -> None:
    assert kinds("/", model(), **sent(10**12)) == ["errors", "headers"]


def test_numbers_above_a_limit_are_told_from_all_others() -> None:
    draw = random.Random(7)  # noqa: S311 - no secret
    limits = [1, 9, 10, 99, 100, 1024, 20 * 1024**2, 5 * 1024**3]
    for limit in limits:
        pattern = re.compile(above(limit))
        near = [max(limit + step, 0) for step in range(-20, 20)]
        for number in [*near, *(draw.randrange(10 * limit) for _ in range(200))]:
            assert bool(pattern.search(str(number))) == (number > limit), (number, limit)


@pytest.mark.parametrize(("size", "count"), [("1k", 1024), ("20m", 20971520), ("2g", 2147483648)])
def test_sizes_are_counted_in_bytes(size: str, count: int) -> None:
    assert byte_count(size) == count
