"""Whose forwarded headers are believed: a CDN's, known by its name or by its networks.

`cdn.json` beside this file has the networks of the CDNs that are known by name, and the day on
which they were last compared with what the CDN publishes; `roles/edge/ranges.py` does that again.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.sources import collapsed

RANGES = Path(__file__).with_name("cdn.json")
# A CDN that has grown since then has visitors that are taken for somebody else's.
STALE_DAYS = 90
IPV4, IPV6 = 4, 6


def known_cdns() -> dict[str, Any]:
    """Return what is known of each CDN, by its name."""
    found: dict[str, Any] = json.loads(RANGES.read_text())
    return found


def cdn_networks(cdn: str | Sequence[str], version: int | None = None) -> list[str]:
    """Return the networks of a CDN, those of IPv4 or IPv6 alone if a version is given."""
    if isinstance(cdn, str):
        cdn = known_cdns()[cdn]["networks"] if cdn else []
    versions = (IPV4, IPV6) if version is None else (version,)
    return [one for family in versions for one in collapsed(cdn, family)]


def cdn_warning(cdn: str | Sequence[str], today: str) -> str:
    """Say that the networks of a CDN are of long ago, or nothing; days are YYYY-MM-DD."""
    if not isinstance(cdn, str) or not cdn:
        return ""
    checked = known_cdns()[cdn]["checked"]
    age = (dt.date.fromisoformat(today) - dt.date.fromisoformat(checked)).days
    if age <= STALE_DAYS:
        return ""
    return (
        f"The networks of {cdn} (edge_cdn) were last checked on {checked}, {age} days ago. Refresh "
        f"them: uv run roles/edge/ranges.py, then look at the difference, commit it and provision."
    )
