"""The address plan: every fixed address lies where Docker does not hand out any."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.addresses import (
    BANKS,
    StackNetwork,
    advertised_devices,
    bank_addresses,
    bridge_name,
    door_addresses,
    door_network,
    edge_attachments,
    network_problems,
    page_address,
    postgres_address,
    slot_address,
    stack_networks,
)

SUBNET = "10.213.4.0/22"
SUBNET_V6 = "fd5c:1b0a:7e3d:d::/64"


def docker_network(name: str, *subnets: str) -> dict[str, Any]:
    return {"Name": name, "IPAM": {"Config": [{"Subnet": subnet} for subnet in subnets]}}


def wanted() -> dict[str, list[StackNetwork]]:
    return {
        "network_door_subnet": [door_network("10.213.0.0/24")],
        "stack_subnet": list(stack_networks("shop", SUBNET).values()),
    }


def test_stack_networks_cut_the_subnet_in_order() -> None:
    networks = stack_networks("shop", SUBNET)
    assert {kind: network.subnet for kind, network in networks.items()} == {
        "edge": "10.213.4.0/24",
        "data": "10.213.5.0/24",
        "app": "10.213.6.0/24",
    }
    assert [network.internal for network in networks.values()] == [True, True, False]
    assert networks["edge"].labels == {"io.slipway.network": "edge", "io.slipway.stack": "shop"}
    assert networks["data"].gateway == "10.213.5.1"


def test_fixed_addresses_lie_outside_what_docker_hands_out() -> None:
    networks = stack_networks("shop", SUBNET)
    fixed = [address for bank in BANKS for address in bank_addresses(SUBNET, bank)]
    fixed += [slot_address(SUBNET, "a"), slot_address(SUBNET, "b"), networks["edge"].gateway]
    assert len(set(fixed)) == len(fixed)
    edge, handed_out = IPv4Network(networks["edge"].subnet), networks["edge"].ip_range
    for address in map(IPv4Address, fixed):
        assert address in edge
        assert address not in IPv4Network(handed_out)
    assert IPv4Address(postgres_address(SUBNET)) not in IPv4Network(networks["data"].ip_range)


def test_banks_are_sixteen_addresses_each() -> None:
    assert bank_addresses(SUBNET, 1)[0] == "10.213.4.16"
    assert bank_addresses(SUBNET, 14)[-1] == "10.213.4.239"
    assert {len(bank_addresses(SUBNET, bank)) for bank in BANKS} == {16}


@pytest.mark.parametrize("bank", [0, 15, -1])
def test_other_banks_are_refused(bank: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 14"):
        bank_addresses(SUBNET, bank)


def test_slots_have_one_number_on_the_door_and_on_the_edge() -> None:
    assert slot_address("10.213.0.0/24") == "10.213.0.2"
    assert slot_address("10.213.0.0/24", "b") == "10.213.0.3"
    assert slot_address(SUBNET) == slot_address(stack_networks("shop", SUBNET)["edge"].subnet)
    with pytest.raises(ValueError, match="no slot"):
        slot_address(SUBNET, "c")


def test_door_hands_out_its_upper_half() -> None:
    door = door_network("10.213.0.0/24")
    assert (door.name, door.bridge) == ("slipway-door", "slw-door")
    assert door.ip_range == "10.213.0.128/25"
    assert not door.internal
    with pytest.raises(ValueError, match="is a /30"):
        door_network("10.213.0.0/30")


def test_door_has_ipv6_where_it_is_given_a_subnet() -> None:
    door = door_network("10.213.0.0/24", SUBNET_V6)
    assert (door.subnet_v6, door.gateway_v6) == (SUBNET_V6, "fd5c:1b0a:7e3d:d::1")
    assert door.ip_range_v6 == "fd5c:1b0a:7e3d:d::1:0/112"
    assert door_network("10.213.0.0/24").subnet_v6 == ""
    with pytest.raises(ValueError, match="is a /48"):
        door_network("10.213.0.0/24", "fd5c:1b0a:7e3d::/48")
    with pytest.raises(ValueError, match="no IPv6 subnet such as"):
        door_network("10.213.0.0/24", "10.213.4.0/24")


def test_a_slot_has_one_number_in_both_families() -> None:
    both = ("10.213.0.3", "fd5c:1b0a:7e3d:d::3")
    assert door_addresses("10.213.0.0/24", SUBNET_V6, "b") == both
    assert door_addresses("10.213.0.0/24", "", "b") == both[:1]


def test_the_page_answers_at_the_host_s_own_address_on_the_door() -> None:
    assert page_address("10.213.7.0/24") == "10.213.7.1:8503"


def test_bridge_names_fit_the_kernel_and_differ_by_stack_and_kind() -> None:
    names = {
        bridge_name(stack, kind)
        for stack in ("production", "a-very-long-name-20c")
        for kind in ("edge", "data", "app")
    }
    assert len(names) == 6
    assert all(len(name) <= 15 and name.startswith("slw-") for name in names)
    with pytest.raises(ValueError, match="no kind"):
        bridge_name("shop", "door")


@pytest.mark.parametrize(
    ("subnet", "text"),
    [("10.213.4.0/24", "is a /24"), ("10.213.4.1/22", "host bits"), ("ten", "no IPv4 subnet")],
)
def test_unusable_subnets_are_named(subnet: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        stack_networks("shop", subnet)


def test_a_slot_joins_the_edge_of_every_stack_and_nothing_else() -> None:
    networks = [
        {**docker_network(network.name, network.subnet), "Labels": network.labels}
        for stack, subnet in (("shop", SUBNET), ("blog", "10.213.8.0/22"))
        for network in stack_networks(stack, subnet).values()
    ]
    networks += [{**docker_network("bridge", "172.17.0.0/16"), "Labels": None}]
    assert edge_attachments(networks, "b") == [
        {"name": "blog-edge", "ipv4_address": "10.213.8.3"},
        {"name": "shop-edge", "ipv4_address": "10.213.4.3"},
    ]


def test_a_slot_joins_the_edge_by_ipv4_alone() -> None:
    edge = docker_network("shop-edge", "10.213.4.0/24", "fd00:1::/64")
    edge["Labels"] = {"io.slipway.network": "edge"}
    assert edge_attachments([edge], "a") == [{"name": "shop-edge", "ipv4_address": "10.213.4.2"}]


def test_devices_whose_default_route_a_router_advertised_are_told() -> None:
    routes: list[dict[str, Any]] = [
        {"dst": "default", "dev": "eth1", "protocol": "ra"},
        {"dst": "default", "dev": "eth2", "protocol": "static"},
        {"dst": "2001:db8::/64", "dev": "eth3", "protocol": "ra"},
        {"dst": "default", "protocol": "ra", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]},
    ]
    assert advertised_devices(routes) == ["eth0", "eth1"]


def test_a_bare_host_has_no_problem() -> None:
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
        {"dst": "0.0.0.0/1", "dev": "tun0"},
        {"dst": "172.17.0.0/16", "dev": "docker0"},
    ]
    assert network_problems(wanted(), [docker_network("none")], routes) == []


def test_networks_that_stand_are_no_problem() -> None:
    networks = [network for group in wanted().values() for network in group]
    existing = [docker_network(network.name, network.subnet) for network in networks]
    routes = [{"dst": network.subnet, "dev": network.bridge} for network in networks]
    assert network_problems(wanted(), existing, routes) == []


def test_a_subnet_of_another_network_is_refused_once_and_by_variable() -> None:
    problems = network_problems(
        wanted(),
        [docker_network("other", "10.213.5.0/24")],
        [{"dst": "10.213.5.0/24", "dev": "br-0123456789ab"}],
    )
    assert len(problems) == 1
    assert problems[0].startswith("stack_subnet: 10.213.5.0/24 (network shop-data) overlaps")
    assert "the Docker network other" in problems[0]


def test_a_route_of_the_host_is_refused() -> None:
    (problem,) = network_problems(wanted(), [], [{"dst": "10.213.0.0/28", "dev": "wg0"}])
    assert problem.startswith("network_door_subnet:")
    assert "through wg0" in problem


def test_the_door_within_the_stack_is_refused() -> None:
    both = {
        "network_door_subnet": [door_network("10.213.6.0/24")],
        "stack_subnet": list(stack_networks("shop", SUBNET).values()),
    }
    (problem,) = network_problems(both, [], [])
    assert problem.startswith("stack_subnet: 10.213.6.0/24 (network shop-app) overlaps")


def test_a_network_with_both_families_stands_and_is_told_from_its_neighbours() -> None:
    door = {"network_door_subnet": [door_network("10.213.0.0/24", SUBNET_V6)]}
    both = docker_network("slipway-door", "10.213.0.0/24", SUBNET_V6)
    routes = [
        {"dst": "2001:db8::1", "dev": "eth0"},
        {"dst": "2000::/3", "dev": "tun0"},
        {"dst": SUBNET_V6, "dev": "slw-door"},
    ]
    assert network_problems(door, [both], routes) == []
    (problem,) = network_problems(door, [], [{"dst": "fd5c:1b0a::/32", "dev": "wg0"}])
    assert problem.startswith(f"network_door_subnet_v6: {SUBNET_V6} (network slipway-door) over")


def test_a_network_that_has_ipv6_stands_where_none_is_wanted() -> None:
    both = docker_network("slipway-door", "10.213.0.0/24", SUBNET_V6)
    assert network_problems(wanted(), [both], []) == []


@pytest.mark.parametrize(
    ("there", "said"),
    [([], "exists without IPv6, and Docker adds none"), (["fd00:2::/64"], "fd00:2::/64, not with")],
)
def test_a_network_without_this_ipv6_is_refused(there: list[str], said: str) -> None:
    door = {"network_door_subnet": [door_network("10.213.0.0/24", SUBNET_V6)]}
    old = docker_network("slipway-door", "10.213.0.0/24", *there)
    (problem,) = network_problems(door, [old], [])
    assert problem.startswith("network_door_subnet_v6: the network slipway-door exists with")
    assert said in problem


def test_a_network_is_never_moved_in_place() -> None:
    (problem,) = network_problems(wanted(), [docker_network("slipway-door", "10.9.0.0/24")], [])
    assert "exists with 10.9.0.0/24, not with 10.213.0.0/24" in problem
