"""Compare the networks of the CDNs known by name with what they publish, and write them down.

    uv run roles/edge/ranges.py

Writes `cdn.json` with today's date, and says what came and what went. Nothing is written when an
answer is no list of networks.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import urllib.request
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

FILE = (
    Path(__file__).resolve().parents[2]
    / "collections/ansible_collections/slipway/stack/plugins/module_utils/cdn.json"
)
ANSWER_SECONDS = 20
# Fewer would be a cut answer, and would shut the CDN out.
FEWEST_NETWORKS = 2
Fetch = Callable[[str], str]


def fetch(address: str) -> str:
    """Return what lies at an address; OSError when there is no answer."""
    with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
        text: bytes = answer.read()
    return text.decode()


def networks_in(text: str, source: str) -> list[str]:
    """Read a list of networks, a line each; ValueError when it is none."""
    lines = text.split()
    try:
        networks = [str(ip_network(line)) for line in lines]
    except ValueError as error:
        raise ValueError(f"{source} is no list of networks: {error}") from error
    if len(networks) < FEWEST_NETWORKS:
        raise ValueError(f"{source} lists {len(networks)} networks, which cannot be all.")
    return networks


def refreshed(known: dict[str, Any], today: str, ask: Fetch) -> dict[str, Any]:
    """Return what is known of the CDNs with what they publish now."""
    return {
        name: {
            **cdn,
            "checked": today,
            "networks": [
                one for source in cdn["sources"] for one in networks_in(ask(source), source)
            ],
        }
        for name, cdn in known.items()
    }


def differences(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Say what came and what went."""
    came = [f"+ {one}" for one in after if one not in before]
    return [*came, *(f"- {one}" for one in before if one not in after)]


def main() -> int:
    """Refresh the file, or say why not with exit code 1."""
    known = json.loads(FILE.read_text())
    try:
        found = refreshed(known, dt.datetime.now(dt.UTC).date().isoformat(), fetch)
    except (OSError, ValueError) as error:
        print(f"{FILE.name} is left as it was: {error}", file=sys.stderr)
        return 1
    for name, cdn in found.items():
        changes = differences(known[name]["networks"], cdn["networks"])
        print("\n".join([f"{name}: {len(cdn['networks'])} networks", *changes]))
    FILE.write_text(f"{json.dumps(found, indent=2)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
