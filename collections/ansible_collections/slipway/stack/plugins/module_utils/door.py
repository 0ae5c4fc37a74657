"""The door as a flip sees it: one line in one file says which slot of Traefik visitors reach.

The firewall's rules include that line, at boot too. Whoever wants to ask Traefik asks the slot that
it names; nothing else on the host records which one is active.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    write_atomically,
)

RECORD = Path("/etc/slipway/slot.nft")
RULES = Path("/etc/slipway/door.nft")
ANSWER_SECONDS = 10

_LINE = re.compile(r"^define door = ([0-9.]+)$", re.MULTILINE)
_LED = re.compile(r"\bdnat to ([0-9.]+)")


def active_address() -> str:
    """Read the address of the slot that visitors are led to."""
    try:
        found = _LINE.search(RECORD.read_text())
    except FileNotFoundError as error:
        raise ReleaseError(
            f"{RECORD} is missing: nothing says which slot of Traefik is active. "
            f"Run playbooks/provision.yml with the same inventory first."
        ) from error
    if not found:
        raise ReleaseError(
            f"{RECORD} names no slot in a line such as 'define door = 10.213.0.2'. It was edited "
            f"by hand: write the address of the running Traefik there, see 'docker ps --filter "
            f"label=io.slipway.traefik'."
        )
    return found.group(1)


def record_text(address: str) -> str:
    """Return the record for a slot's address; roles/network writes the first one alike."""
    head = "# The slot of Traefik that visitors are led to. A flip writes it."
    return f"{head}\ndefine door = {address}\n"


def lead_to(address: str) -> None:
    """Lead new connections to a slot, now and at boot; those that are open stay where they are."""
    write_atomically(RECORD, record_text(address), mode=0o644)
    load()


def load() -> None:
    """Have the kernel obey the record: the whole table is replaced in one transaction."""
    _nft("--file", str(RULES))


def led_to() -> str:
    """Return the address that the kernel leads new connections to, or nothing."""
    try:
        found = _LED.search(_nft("list", "chain", "ip", "slipway", "prerouting"))
    except ReleaseError:
        return ""  # the table is not there
    return found.group(1) if found else ""


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
