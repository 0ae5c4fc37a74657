"""Who has which address: the networks of a host and of its stacks, as pure functions.

A stack owns a private IPv4 /22. Its first /24 is the *edge* network (Traefik's slots and the
releases' banks), the second the *data* network, the third the *app* network; the fourth is spare.
The *door* is one network per host where Traefik's slots stand.

Every function raises ``ValueError`` with a sentence for the operator when a value is unusable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BANK_SIZE = 16
BANKS = range(1, 15)
DOOR_NETWORK = "slipway-door"
DOOR_BRIDGE = "slw-door"
PAGE_PORT = 8503
SLOTS = {"a": 2, "b": 3}

_POSTGRES_HOST = 2
_STACK_PREFIX = 22
_DOOR_PREFIX = 24
_KINDS = ("edge", "data", "app")


@dataclass(frozen=True)
class StackNetwork:
    """One Docker bridge network: addresses as strings, ``ip_range`` is what Docker may hand out."""

    name: str
    bridge: str
    subnet: str
    gateway: str
    ip_range: str
    internal: bool
    labels: Mapping[str, str]


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


def door_network(subnet: str) -> StackNetwork:
    """Return the host's door network, whose lower half belongs to Traefik's slots."""
    network = _network(subnet)
    if network.prefixlen != _DOOR_PREFIX:
        raise ValueError(f"{subnet} is a /{network.prefixlen}: the door's subnet is a /24")
    return StackNetwork(
        name=DOOR_NETWORK,
        bridge=DOOR_BRIDGE,
        subnet=str(network),
        gateway=_host(network, 1),
        ip_range=str(_upper_half(network)),
        internal=False,
        labels={"io.slipway.network": "door"},
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
        for subnet in _subnets(network)
    ]


def network_problems(
    wanted: Mapping[str, Sequence[StackNetwork]],
    existing: Iterable[Mapping[str, Any]],
    routes: Iterable[Mapping[str, Any]],
) -> list[str]:
    """Say why networks cannot be made as wanted; an empty list when they can.

    ``wanted`` has the networks by the variable their subnets come from, ``existing`` is what
    Docker's API lists (``Name``, ``IPAM``), ``routes`` what ``ip -json route`` prints (``dst``,
    ``dev``). Networks that stand as wanted are no problem; others are never moved in place.
    """
    known = {str(network["Name"]): _subnets(network) for network in existing}
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
        (IPv4Network(route["dst"]), f"a route of this host through {route.get('dev', '?')}")
        for route in routes
        if _is_specific(str(route["dst"])) and route.get("dev") not in bridges
    ]
    mine: list[tuple[IPv4Network, str]] = []
    for variable, networks in wanted.items():
        for network in networks:
            subnet = IPv4Network(network.subnet)
            if known.get(network.name, [subnet]) != [subnet]:
                there = ", ".join(str(found) for found in known[network.name])
                problems.append(
                    f"{variable}: the network {network.name} exists with {there}, not with "
                    f"{subnet}. Its containers have addresses there: give the variable its old "
                    f"value, or stop them and remove the network first."
                )
                continue
            problems += [
                f"{variable}: {subnet} (network {network.name}) overlaps {found} ({what}). "
                f"Choose a free private subnet."
                for found, what in _unique(others + mine)
                if found.overlaps(subnet)
            ]
            mine.append((subnet, f"the network {network.name} of {variable}"))
    return problems


def _subnets(network: Mapping[str, Any]) -> list[IPv4Network]:
    configs = (network.get("IPAM") or {}).get("Config") or []
    return [IPv4Network(c["Subnet"]) for c in configs if "." in c.get("Subnet", "")]


def _is_specific(destination: str) -> bool:
    """Tell a real route from the default one, which some VPNs write as two halves."""
    return destination != "default" and IPv4Network(destination).prefixlen > 1


def _unique(pairs: list[tuple[IPv4Network, str]]) -> list[tuple[IPv4Network, str]]:
    """Keep one finding per subnet: a Docker network is seen as a route, too."""
    found: dict[IPv4Network, str] = {}
    for subnet, what in pairs:
        found.setdefault(subnet, what)
    return list(found.items())


def _network(subnet: str) -> IPv4Network:
    try:
        return IPv4Network(subnet)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise ValueError(f"{subnet!r} is no IPv4 subnet such as 10.213.4.0/22: {error}") from error


def _stack_parts(subnet: str) -> dict[str, IPv4Network]:
    network = _network(subnet)
    if network.prefixlen != _STACK_PREFIX:
        raise ValueError(f"{subnet} is a /{network.prefixlen}: a stack's subnet is a /22")
    return dict(zip(_KINDS, network.subnets(new_prefix=24), strict=False))


def _upper_half(network: IPv4Network) -> IPv4Network:
    return list(network.subnets(prefixlen_diff=1))[1]


def _host(network: IPv4Network, number: int) -> str:
    return str(network.network_address + number)
