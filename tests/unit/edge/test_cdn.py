"""Whose word on visitors is believed, and how what is known of a CDN is kept true."""

from __future__ import annotations

import importlib.util
import json
import random
import re
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.cdn import (
    cdn_networks,
    cdn_warning,
    known_cdns,
)
from ansible_collections.slipway.stack.plugins.module_utils.closed import (
    address_pattern,
    maintenance_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.definition import compose_definition
from ansible_collections.slipway.stack.plugins.module_utils.routes import public_routes

from tests.unit.release.fakes import edge, model, release
from tests.unit.roll.routing import Request, router_of

PROGRAM = Path(__file__).parents[3] / "roles/edge/ranges.py"
BEHIND = edge(
    behind_cdn=True,
    addresses=["192.0.2.0/24"],
    rate_limits={"/api": {"requests": 5}},
    staff_addresses=["203.0.113.8/30", "2001:db8::7"],
)


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ranges", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ranges = program()


def middlewares(rules: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = public_routes(model(edge=rules), release())["http"]["middlewares"]
    return found


# what is known ----------------------------------------------------------------------------------


def test_the_networks_of_each_known_cdn_are_networks_of_both_kinds() -> None:
    for name in known_cdns():
        assert {ip_network(one).version for one in cdn_networks(name)} == {4, 6}
        assert cdn_networks(name, 4) + cdn_networks(name, 6) == cdn_networks(name)


def test_a_list_of_networks_stands_for_itself_and_no_cdn_for_none() -> None:
    networks = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]
    assert cdn_networks(networks, 4) == ["192.0.2.0/24", "198.51.100.7/32"]
    assert cdn_networks(networks, 6) == ["2001:db8::/32"]
    assert cdn_networks("") == []


def test_networks_that_overlap_become_one() -> None:
    assert cdn_networks(["192.0.2.0/25", "192.0.2.0/24", "192.0.2.9"]) == ["192.0.2.0/24"]


def test_the_refresh_writes_where_the_networks_are_read() -> None:
    assert json.loads(ranges.FILE.read_text()) == known_cdns()


def test_old_networks_are_warned_about_with_the_command_that_refreshes_them() -> None:
    checked = known_cdns()["cloudflare"]["checked"]
    assert cdn_warning("cloudflare", checked) == ""
    warning = cdn_warning("cloudflare", f"{int(checked[:4]) + 1}{checked[4:]}")
    assert checked in warning
    assert "roles/edge/ranges.py" in warning
    assert cdn_warning("", "2099-01-01") == cdn_warning(["192.0.2.0/24"], "2099-01-01") == ""


# the refresh ------------------------------------------------------------------------------------

KNOWN = {"one": {"sources": ["a", "b"], "checked": "2026-01-01", "networks": ["192.0.2.0/24"]}}


def test_a_refresh_takes_all_sources_and_the_day() -> None:
    pages = {"a": "192.0.2.0/25\n192.0.2.128/25\n", "b": "2001:db8::/32\n2001:db9::/32"}
    found = ranges.refreshed(KNOWN, "2026-02-01", pages.__getitem__)
    networks = ["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32", "2001:db9::/32"]
    assert found["one"] == {**KNOWN["one"], "checked": "2026-02-01", "networks": networks}


@pytest.mark.parametrize("text", ["", "192.0.2.0/24", "<html>blocked</html>", "192.0.2.1/24 ::/0"])
def test_what_is_no_list_of_networks_changes_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a "):
        ranges.refreshed(KNOWN, "2026-02-01", lambda _: text)


def test_a_refresh_says_what_came_and_what_went() -> None:
    assert ranges.differences(["a", "b"], ["b", "c"]) == ["+ c", "- a"]


@pytest.mark.parametrize("answer", [OSError("no way out"), "<html>"])
def test_a_refresh_that_fails_leaves_the_file(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Exception | str,
) -> None:
    def fetch(_: str) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    file = tmp_path / "cdn.json"
    file.write_text(json.dumps(KNOWN))
    monkeypatch.setattr(ranges, "FILE", file)
    monkeypatch.setattr(ranges, "fetch", fetch)
    assert ranges.main() == 1
    assert json.loads(file.read_text()) == KNOWN
    assert "is left as it was" in capsys.readouterr().err


# behind it --------------------------------------------------------------------------------------


def test_behind_a_cdn_limits_and_lists_are_about_its_visitors() -> None:
    found = middlewares(BEHIND)
    source = found["shop-rate-0"]["rateLimit"]["sourceCriterion"]
    assert source == {"ipStrategy": {"ipv6Subnet": 64, "depth": 1}}
    assert found["shop-addresses"]["ipAllowList"]["ipStrategy"] == {"depth": 1}


@pytest.mark.parametrize("rules", [edge(), BEHIND])
def test_the_application_sees_nobodys_claims(rules: dict[str, Any]) -> None:
    dropped = middlewares(rules)["shop-headers"]["headers"]["customRequestHeaders"]
    assert set(dropped.values()) == {""}
    assert {"CF-Connecting-IP", "True-Client-IP", "Forwarded"} <= set(dropped)
    assert ("X-Forwarded-Host" in dropped) == ("X-Real-Ip" in dropped) == rules["behind_cdn"]
    assert not {"X-Forwarded-For", "X-Forwarded-Proto"} & set(dropped)


@pytest.mark.parametrize(("rules", "proxies"), [(edge(), "1"), (BEHIND, "2")])
def test_the_application_knows_how_many_proxies_stand_before_it(
    rules: dict[str, Any], proxies: str
) -> None:
    services = compose_definition(model(edge=rules), release())["services"]
    assert {one["environment"]["SLIPWAY_PROXIES"] for one in services.values()} == {proxies}


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        ("203.0.113.9", True),
        ("198.51.100.1, 203.0.113.9", True),
        ("198.51.100.1,203.0.113.9", True),
        ("2001:db8::7", True),
        ("203.0.113.12", False),
        ("203.0.113.9, 198.51.100.1", False),
        ("1203.0.113.9", False),
        ("203.0.113.90", False),
        ("2001:db8::77", False),
        ("", False),
    ],
)
def test_behind_a_cdn_staff_are_told_by_the_address_that_it_wrote_down(
    told: str, *, passes: bool
) -> None:
    closed = maintenance_routes(model(edge=BEHIND), 60, "")
    router = router_of(Request(headers={"X-Forwarded-For": told}), closed)
    assert (router is None) == passes


def test_a_network_s_pattern_is_that_of_its_addresses() -> None:
    draw = random.Random(3)  # noqa: S311 - no secret
    for prefix in range(8, 33):
        network = ip_network((draw.getrandbits(32) >> (32 - prefix) << (32 - prefix), prefix))
        pattern = re.compile(f"^{address_pattern(str(network))}$")
        first, last = int(network.network_address), int(network.broadcast_address)
        near = [first, last, max(first - 1, 0), min(last + 1, 2**32 - 1)]
        for number in [*near, *(draw.randint(first, last) for _ in range(20))]:
            address = IPv4Address(number)
            assert bool(pattern.match(str(address))) == (ip_address(address) in network)
