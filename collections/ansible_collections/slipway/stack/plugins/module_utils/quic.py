"""Connections of HTTP/3 to a slot of Traefik, as the kernel tracks them.

QUIC lives in one UDP socket, so unlike TCP's its connections show nowhere in the slot. On the host
each is a translation that the door has made, and that leads to the same slot as long as it lives.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

# After so long without a packet both ends have given a connection up; quic-go's MaxIdleTimeout.
IDLE_SECONDS = 30
PORT = 443
TIMEOUTS = Path("/proc/sys/net/netfilter")

_ANSWER_SECONDS = 10
# What it says, with an error, where there was nothing to delete.
_NOTHING_DELETED = "0 flow entries have been deleted"


def open_connections(addresses: Sequence[str]) -> int:
    """Count the connections to a slot's addresses that may still be in use."""
    listed = [line for each in addresses for line in _conntrack("--dump", each).splitlines()]
    return sum(silent_seconds(line) < IDLE_SECONDS for line in listed)


def forget(addresses: Sequence[str]) -> None:
    """Have the door decide anew on whoever goes on sending to a slot that is gone."""
    for address in addresses:
        _conntrack("--delete", address)


def silent_seconds(line: str) -> int:
    """Tell for how long nothing was sent, of a line such as `udp 17 118 src=… [ASSURED] …`.

    Its third word is after how many more seconds of silence the kernel forgets the connection.
    """
    assured = "[ASSURED]" in line
    name = "nf_conntrack_udp_timeout_stream" if assured else "nf_conntrack_udp_timeout"
    return int((TIMEOUTS / name).read_text()) - int(line.split()[2])


def _conntrack(action: str, address: str) -> str:
    """Ask for the connections to an address. Where HTTP/3 was never on, the program is missing."""
    program = shutil.which("conntrack")
    if program is None:
        return ""
    family = "ipv6" if ":" in address else "ipv4"
    ports = ("--orig-port-dst", str(PORT), "--reply-port-src", str(PORT))
    command = [
        program,
        action,
        "--family",
        family,
        "--proto",
        "udp",
        "--reply-src",
        address,
        *ports,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"'{' '.join(command)}' did not end well: {error}") from error
    if done.returncode and _NOTHING_DELETED not in done.stderr:
        raise ReleaseError(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
    return done.stdout
