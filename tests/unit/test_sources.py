"""Who may reach a port: rules for both families, and a refusal to shut out who provisions."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.sources import nft_sources, shut_out

LOGIN = ["203.0.113.7", "51000", "198.51.100.1", "22"]


@pytest.mark.parametrize(
    ("sources", "rules"),
    [
        ([], [""]),
        (["203.0.113.7"], ["ip saddr { 203.0.113.7/32 } "]),
        (["203.0.113.0/24", "203.0.113.7", "2001:db8::/32"],
         ["ip saddr { 203.0.113.0/24 } ", "ip6 saddr { 2001:db8::/32 } "]),
    ],
)  # fmt: skip
def test_sources_become_a_rule_for_each_family(sources: list[str], rules: list[str]) -> None:
    assert nft_sources(sources) == rules


@pytest.mark.parametrize(
    ("login", "sources"),
    [
        (LOGIN, []),
        (LOGIN, ["2001:db8::/32", "203.0.113.0/24"]),
        (["fe80::1%eth0", "51000", "fe80::2%eth0", "22"], ["fe80::/10"]),
    ],
)
def test_login_that_the_filter_lets_in_is_no_problem(login: list[str], sources: list[str]) -> None:
    assert shut_out(login, [22, 2222], sources) == ""


@pytest.mark.parametrize(
    ("login", "ports", "sources", "word"),
    [
        (LOGIN, [22], ["198.51.100.0/24"], "203.0.113.7"),
        (LOGIN, [22], ["2001:db8::/32"], "network_ssh_sources"),
        (LOGIN, [2222], [], "port 22"),
        ([], [22], [], "did not come over SSH"),
    ],
)
def test_login_that_it_would_shut_out_is_named(
    login: list[str], ports: list[int], sources: list[str], word: str
) -> None:
    assert word in shut_out(login, ports, sources)
