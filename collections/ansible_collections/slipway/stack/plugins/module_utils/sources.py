"""Who may reach a port: addresses and networks of both families, for nftables and for people."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

_WORDS = {4: "ip", 6: "ip6"}


def collapsed(sources: Iterable[str], version: int) -> list[str]:
    """Return the networks of IPv4 or IPv6 among some, of which none overlaps another.

    A set of nftables takes no others.
    """
    networks = [ipaddress.ip_network(source) for source in sources]
    family = [network for network in networks if network.version == version]
    return [str(one) for one in ipaddress.collapse_addresses(family)]  # type: ignore[type-var]


def nft_sources(sources: Sequence[str]) -> list[str]:
    """Return what begins a rule for each family that may come in; one empty text for everybody."""
    if not sources:
        return [""]
    return [
        f"{word} saddr {{ {', '.join(networks)} }} "
        for version, word in _WORDS.items()
        if (networks := collapsed(sources, version))
    ]


def shut_out(login: Sequence[str], ports: Sequence[int], sources: Sequence[str]) -> str:
    """Say why the filter would shut out the login that asks, or nothing.

    `login` is sshd's SSH_CONNECTION in words: the other end's address and port, the host's own.
    """
    if len(login) != 4:  # noqa: PLR2004
        return (
            "This login did not come over SSH, so nothing shows that the filter leaves a way in. "
            "Use ansible_connection: ssh, or add firewall to host_hardening_except."
        )
    if int(login[3]) not in ports:
        return (
            f"This login came by port {login[3]}, but sshd says that it listens on "
            f"{', '.join(map(str, ports))}. The filter would shut it out. Set sshd's Port right, "
            f"or add firewall to host_hardening_except."
        )
    address = ipaddress.ip_address(login[0].partition("%")[0])
    networks = [ipaddress.ip_network(source) for source in sources]
    if networks and not any(address in network for network in networks):
        return (
            f"network_ssh_sources would shut you out: you come from {address}, which none of "
            f"{', '.join(sources)} holds. Add it. Nothing of the filter was changed."
        )
    return ""
