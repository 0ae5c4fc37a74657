"""What Traefik is to ask a CA for, and what a wildcard leaves to ask."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.issuing import (
    covers,
    host_requests,
    left_to_ask,
    stack_request,
)

WILD: list[dict[str, Any]] = [{"main": "example.com", "sans": ["*.example.com"]}]


@pytest.mark.parametrize(
    ("certified", "name"),
    [
        ("example.com", "example.com"),
        ("*.example.com", "www.example.com"),
        ("*.example.com", "*.example.com"),
    ],
)
def test_a_certificate_covers_its_own_name_and_a_wildcard_those_below(
    certified: str, name: str
) -> None:
    assert covers(certified, name)


@pytest.mark.parametrize(
    ("certified", "name"),
    [
        ("*.example.com", "example.com"),
        ("*.example.com", "a.b.example.com"),
        ("*.example.com", "*.b.example.com"),
        ("*.example.com", "www.example.org"),
        ("example.com", "www.example.com"),
    ],
)
def test_a_wildcard_stands_for_one_label_and_not_for_its_parent(certified: str, name: str) -> None:
    assert not covers(certified, name)


def test_a_stack_asks_for_what_the_host_does_not_and_for_each_name_once() -> None:
    names = ["www.example.com", "example.com", "example.org", "a.b.example.com", "example.org"]
    assert left_to_ask(names, WILD) == ["example.org", "a.b.example.com"]
    assert left_to_ask(names[:2], WILD) == []
    assert left_to_ask(names[:2], [{"main": "*.example.com"}]) == ["example.com"]
    assert left_to_ask(names[:2], []) == names[:2]


def test_a_request_is_one_certificate_whose_main_name_is_the_first() -> None:
    (name, router), *others = stack_request(["b.org", "a.org"], "shop")["http"]["routers"].items()
    assert not others
    assert name == "shop.certificate"
    assert router["rule"] == "(Host(`b.org`) || Host(`a.org`)) && Method(`SLIPWAY`)"
    assert router["tls"] == {"certResolver": "acme"}


def test_the_host_asks_for_each_of_its_certificates_by_itself() -> None:
    requests = host_requests([*WILD, {"main": "*.example.org"}])
    assert {name: router["rule"] for name, router in requests.items()} == {
        "slipway-certificate-1": "(Host(`example.com`) || Host(`*.example.com`))"
        " && Method(`SLIPWAY`)",
        "slipway-certificate-2": "(Host(`*.example.org`)) && Method(`SLIPWAY`)",
    }
