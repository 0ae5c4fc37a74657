"""Who has which address: the networks of a host and of its stacks, as pure functions.

A stack owns a private IPv4 /22. Its first /24 is the *edge* network (Traefik's slots and the
releases' banks), the second the *data* network, the third the *app* network; the fourth is spare.
The *door* is one network per host where Traefik's slots stand. It alone may have IPv6, a /64.

Every function raises ``ValueError`` with a sentence for the operator when a value is unusable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Network = IPv4Network | IPv6Network
BANK_SIZE = 16
BANKS = range(1, 15)
DOOR_NETWORK = "slipway-door"
DOOR_BRIDGE = "slw-door"
PAGE_PORT = 8503
SLOTS = {"a": 2, "b": 3}
EXAMPLE_V6 = "fd5c:1b0a:7e3d:d::/64"

_POSTGRES_HOST = 2
_STACK_PREFIX = 22
_DOOR_PREFIX = 24
_DOOR_PREFIX_V6 = 64
_IPV4 = 4
# Up to here a route is another way to write the default one: 0.0.0.0/1 of some VPNs, 2000::/3.
_UNSPECIFIC = {4: 1, 6: 3}
_KINDS = ("edge", "data", "app")


@dataclass(frozen=True)
class StackNetwork:
    """One Docker bridge network: addresses as strings, ``ip_range`` is what Docker may hand out.

    Those of IPv6 are empty in a network that has none.
    """

    name: str
    bridge: str
    subnet: str
    gateway: str
    ip_range: str
    internal: bool
    labels: Mapping[str, str]
    subnet_v6: str = ""
    gateway_v6: str = ""
    ip_range_v6: str = ""


def stack_networks(stack: str, subnet: str) -> dict[str, StackNetwork]:
    """Return the networks of a stack by kind: ``edge``, ``data`` and ``app``."""
    parts = _stack_parts(subnet)
    ranges = {
        "edge": IPv4Network((int(parts["edge"].network_address) + 8, 29)),
        "data": _upper_half(parts["data"]),
        "app": _upper_half(parts["app"]),
    }
    return {
        kind: StackNetwork(
            name=f"{stack}-{kind}",
            bridge=bridge_name(stack, kind),
            subnet=str(parts[kind]),
            gateway=_host(parts[kind], 1),
            ip_range=str(ranges[kind]),
            internal=kind != "app",
            labels={"io.slipway.network": kind, "io.slipway.stack": stack},
        )
        for kind in _KINDS
    }


def door_network(subnet: str, subnet_v6: str = "") -> StackNetwork:
    """Return the host's door network, whose lower half belongs to Traefik's slots.

    ``subnet_v6`` is empty for a door without IPv6. Docker is given a small part of it: the range
    must not reach the last address of a /64, or it hands out none ("invalid bit range").
    """
    network = _network(subnet)
    if network.prefixlen != _DOOR_PREFIX:
        raise ValueError(f"{subnet} is a /{network.prefixlen}: the door's subnet is a /24")
    door = StackNetwork(
        name=DOOR_NETWORK,
        bridge=DOOR_BRIDGE,
        subnet=str(network),
        gateway=_host(network, 1),
        ip_range=str(_upper_half(network)),
        internal=False,
        labels={"io.slipway.network": "door"},
    )
    if not subnet_v6:
        return door
    network_v6 = _network_v6(subnet_v6)
    return replace(
        door,
        subnet_v6=str(network_v6),
        gateway_v6=_host(network_v6, 1),
        ip_range_v6=str(IPv6Network((int(network_v6.network_address) + 2**16, 112))),
    )


def page_address(subnet: str) -> str:
    """Return where on the door the host answers with pages, as `address:port`."""
    return f"{door_network(subnet).gateway}:{PAGE_PORT}"


def bridge_name(stack: str, kind: str) -> str:
    """Return the bridge's interface name; the kernel allows 15 characters, a stack's name 20."""
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of network: use one of {', '.join(_KINDS)}")
    return f"slw-{hashlib.sha256(stack.encode()).hexdigest()[:6]}-{kind[0]}"


def slot_address(subnet: str, slot: str = "a") -> str:
    """Return a Traefik slot's address on the door, or on the edge network of a stack's subnet."""
    if slot not in SLOTS:
        raise ValueError(f"{slot!r} is no slot of Traefik: use one of {', '.join(SLOTS)}")
    return _host(_network(subnet), SLOTS[slot])


def door_addresses(subnet: str, subnet_v6: str, slot: str) -> tuple[str, ...]:
    """Return a slot's addresses on the door: IPv4, then IPv6 unless its subnet is empty."""
    address = slot_address(subnet, slot)
    return (address, _host(_network_v6(subnet_v6), SLOTS[slot])) if subnet_v6 else (address,)


def postgres_address(subnet: str) -> str:
    """Return the address of Postgres on the data network of a stack's subnet."""
    return _host(_stack_parts(subnet)["data"], _POSTGRES_HOST)


def bank_addresses(subnet: str, bank: int) -> list[str]:
    """Return the 16 edge addresses of a bank (1 to 14), which one release holds for life."""
    if bank not in BANKS:
        raise ValueError(f"{bank} is no bank: they go from {BANKS[0]} to {BANKS[-1]}")
    edge = _stack_parts(subnet)["edge"]
    first = bank * BANK_SIZE
    return [_host(edge, first + offset) for offset in range(BANK_SIZE)]


def edge_attachments(existing: Iterable[Mapping[str, Any]], slot: str) -> list[dict[str, str]]:
    """Return the edge network of every stack on the host, with the address of a slot there.

    ``existing`` is what Docker's API lists (``Name``, ``Labels``, ``IPAM``); the fields of the
    result are those of community.docker.docker_container: ``name`` and ``ipv4_address``.
    """
    return [
        {"name": str(network["Name"]), "ipv4_address": slot_address(str(subnet), slot)}
        for network in sorted(existing, key=lambda network: str(network["Name"]))
        if (network.get("Labels") or {}).get("io.slipway.network") == "edge"
        for subnet in subnets_of(network)
        if subnet.version == _IPV4
    ]


def advertised_devices(routes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return through which devices a router has advertised itself as the default one, for IPv6.

    ``routes`` is what ``ip -json -6 route`` prints.
    """
    ways = [
        way
        for route in routes
        if route.get("dst") == "default" and route.get("protocol") == "ra"
        for way in (route, *route.get("nexthops", []))
    ]
    return sorted({str(way["dev"]) for way in ways if "dev" in way})


def free_subnet(pool: str, taken: Iterable[str]) -> str:
    """Return the first /22 of a network that overlaps none of the subnets that are taken."""
    busy = [ip_network(subnet) for subnet in taken if _is_specific(subnet)]
    for candidate in _network(pool).subnets(new_prefix=_STACK_PREFIX):
        if not any(candidate.overlaps(one) for one in busy):
            return str(candidate)
    raise ValueError(f"{pool} has no /22 left that no network and no route of this host uses")


def network_problems(
    wanted: Mapping[str, Sequence[StackNetwork]],
    existing: Iterable[Mapping[str, Any]],
    routes: Iterable[Mapping[str, Any]],
) -> list[str]:
    """Say why networks cannot be made as wanted; an empty list when they can.

    ``wanted`` has the networks by the variable their subnets come from, to whose name ``_v6`` is
    added for IPv6. ``existing`` is what Docker's API lists (``Name``, ``IPAM``), ``routes`` what
    ``ip -json route`` prints (``dst``, ``dev``). Networks that stand as wanted are no problem;
    others are never moved in place. One that has IPv6 and needs none stands, too.
    """
    known = {str(network["Name"]): subnets_of(network) for network in existing}
    taken = [
        (found, f"the Docker network {name}")
        for name, subnets in known.items()
        for found in subnets
    ]
    problems: list[str] = []
    own = {network.name for networks in wanted.values() for network in networks}
    bridges = {network.bridge for networks in wanted.values() for network in networks}
    others = [(subnet, what) for subnet, what in taken if what.split()[-1] not in own]
    others += [
        (ip_network(route["dst"]), f"a route of this host through {route.get('dev', '?')}")
        for route in routes
        if _is_specific(str(route["dst"])) and route.get("dev") not in bridges
    ]
    mine: list[tuple[Network, str]] = []
    for group, networks in wanted.items():
        for network, variable, subnet in _wanted_subnets(group, networks):
            there = [
                one for one in known.get(network.name, [subnet]) if one.version == subnet.version
            ]
            if there != [subnet]:
                problems.append(_stands_otherwise(variable, network.name, subnet, there))
                continue
            problems += [
                f"{variable}: {subnet} (network {network.name}) overlaps {found} ({what}). "
                f"Choose a free private subnet."
                for found, what in _unique(others + mine)
                if found.overlaps(subnet)
            ]
            mine.append((subnet, f"the network {network.name} of {variable}"))
    return problems


def _wanted_subnets(
    variable: str, networks: Iterable[StackNetwork]
) -> Iterator[tuple[StackNetwork, str, Network]]:
    for network in networks:
        yield network, variable, IPv4Network(network.subnet)
        if network.subnet_v6:
            yield network, f"{variable}_v6", IPv6Network(network.subnet_v6)


def _stands_otherwise(variable: str, name: str, subnet: Network, there: list[Network]) -> str:
    if not there:
        return (
            f"{variable}: the network {name} exists without IPv6, and Docker adds none to what "
            f"exists. Go on with IPv4 alone by {variable}: '', or have the network made anew, "
            f"which takes a minute without visitors: docs/operations.md, 'IPv6 on a server that "
            f"was provisioned without it'."
        )
    return (
        f"{variable}: the network {name} exists with {', '.join(map(str, there))}, not with "
        f"{subnet}. Its containers have addresses there: give the variable its old "
        f"value, or stop them and remove the network first."
    )


def subnets_of(network: Mapping[str, Any]) -> list[Network]:
    """Return the subnets, of both families, of a network that Docker's API lists."""
    configs = (network.get("IPAM") or {}).get("Config") or []
    return [ip_network(config["Subnet"]) for config in configs if config.get("Subnet")]


def _is_specific(destination: str) -> bool:
    """Tell a real route from the default one, however it is written."""
    if destination == "default":
        return False
    network = ip_network(destination)
    return network.prefixlen > _UNSPECIFIC[network.version]


def _unique(pairs: list[tuple[Network, str]]) -> list[tuple[Network, str]]:
    """Keep one finding per subnet: a Docker network is seen as a route, too."""
    found: dict[Network, str] = {}
    for subnet, what in pairs:
        found.setdefault(subnet, what)
    return list(found.items())


def _network(subnet: str) -> IPv4Network:
    try:
        return IPv4Network(subnet)
    except ValueError as error:
        raise ValueError(f"{subnet!r} is no IPv4 subnet such as 10.213.4.0/22: {error}") from error


def _network_v6(subnet: str) -> IPv6Network:
    try:
        network = IPv6Network(subnet)
    except ValueError as error:
        raise ValueError(f"{subnet!r} is no IPv6 subnet such as {EXAMPLE_V6}: {error}") from error
    if network.prefixlen != _DOOR_PREFIX_V6:
        raise ValueError(f"{subnet} is a /{network.prefixlen}: the door's IPv6 subnet is a /64")
    return network


def _stack_parts(subnet: str) -> dict[str, IPv4Network]:
    network = _network(subnet)
    if network.prefixlen != _STACK_PREFIX:
        raise ValueError(f"{subnet} is a /{network.prefixlen}: a stack's subnet is a /22")
    return dict(zip(_KINDS, network.subnets(new_prefix=24), strict=False))


def _upper_half(network: IPv4Network) -> IPv4Network:
    return list(network.subnets(prefixlen_diff=1))[1]


def _host(network: Network, number: int) -> str:
    return str(network.network_address + number)
