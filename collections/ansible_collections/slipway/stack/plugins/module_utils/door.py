"""The door as a flip sees it: one small file says which slot of Traefik visitors reach.

The firewall's rules include that file, at boot too: a line with the slot's IPv4 address, and one
with its IPv6 address where the door has IPv6. Whoever wants to ask Traefik asks the slot that it
names; nothing else on the host records which one is active.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    write_atomically,
)

RECORD = Path("/etc/slipway/slot.nft")
RULES = Path("/etc/slipway/door.nft")
ANSWER_SECONDS = 10

# What nftables calls the families, and how the record calls a slot's address of each.
FAMILIES = {"ip": "door", "ip6": "door6"}

_LINE = re.compile(r"^define (door6?) = ([0-9a-f.:]+)$", re.MULTILINE)
_LED = re.compile(r"\bdnat to ([0-9a-f.:]+)")


def active_address() -> str:
    """Read the IPv4 address of the slot that visitors are led to."""
    return recorded()[0]


def recorded() -> tuple[str, ...]:
    """Read the addresses of the slot that visitors are led to: IPv4, and IPv6 if there is any."""
    try:
        return named(RECORD.read_text())
    except FileNotFoundError as error:
        raise ReleaseError(
            f"{RECORD} is missing: nothing says which slot of Traefik is active. "
            f"Run playbooks/provision.yml with the same inventory first."
        ) from error


def named(record: str) -> tuple[str, ...]:
    """Return the addresses that the text of a record names."""
    found = dict(_LINE.findall(record))
    if "door" not in found:
        raise ReleaseError(
            f"{RECORD} names no slot in a line such as 'define door = 10.213.0.2'. It was edited "
            f"by hand: write the address of the running Traefik there, see 'docker ps --filter "
            f"label=io.slipway.traefik'."
        )
    return tuple(found[name] for name in FAMILIES.values() if name in found)


def record_text(addresses: Sequence[str]) -> str:
    """Return the record for a slot's addresses, that of IPv4 first."""
    head = "# The slot of Traefik that visitors are led to. A flip writes it."
    names = FAMILIES.values()
    lines = (f"define {name} = {each}" for name, each in zip(names, addresses, strict=False))
    return "\n".join([head, *lines]) + "\n"


def lead_to(addresses: Sequence[str]) -> None:
    """Lead new connections to a slot, now and at boot; those that are open stay where they are."""
    write_atomically(RECORD, record_text(addresses), mode=0o644)
    load()


def load() -> None:
    """Have the kernel obey the record: both families' tables are replaced in one transaction."""
    _nft("--file", str(RULES))


def led_to() -> tuple[str, ...]:
    """Return the addresses that the kernel leads new connections to, of each family that it has."""
    found = [_LED.search(_prerouting(family)) for family in FAMILIES]
    return tuple(one.group(1) for one in found if one)


def _prerouting(family: str) -> str:
    try:
        return _nft("list", "chain", family, "slipway", "prerouting")
    except ReleaseError:
        return ""  # the table is not there


def _nft(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["nft", *arguments],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"'nft {' '.join(arguments)}' did not end well: {error}") from error
    if done.returncode:
        raise ReleaseError(f"'nft {' '.join(arguments)}' failed: {done.stderr.strip()}")
    return done.stdout
