"""What became of each release: the append-only history, and both tables of playbooks/releases.yml.

The history is a file with one JSON object a line, one for each roll, good or bad. It outlives the
releases. An entry has `at` (UTC), `action`, `release`, `from`, `version`, `images`, `actor`,
`outcome`, `reason`, `probe` and `seconds`, as in a manifest.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    Manifest,
    StackDirectory,
)

RELEASE_COLUMNS = ("", "release", "version", "outcome", "when", "who", "from")
FIGURE_COLUMNS = ("seconds", "asked", "lost", "slowest")
ROLL_COLUMNS = ("when", "action", "from", "to", "version", "outcome", "who", "reason")
SHORT_COMMIT = 8
SHORT_REASON = 60
LINE_END = b"\n"


def append(directory: StackDirectory, entry: dict[str, Any]) -> None:
    """Add a line to the history; one that a crash cut off stays a line of its own."""
    line = json.dumps(entry, sort_keys=True).encode() + LINE_END
    descriptor = os.open(directory.history, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        if end:
            stream.seek(end - 1)
            line = line if stream.read(1) == LINE_END else LINE_END + line
        stream.write(line)
        os.fsync(stream.fileno())


def read(directory: StackDirectory) -> list[dict[str, Any]]:
    """Return the entries, the oldest first; lines that were cut off are left out."""
    try:
        lines = directory.history.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [entry for entry in map(_parsed, lines) if entry]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def listing(directory: StackDirectory) -> list[dict[str, Any]]:
    """Describe the releases on the host, the newest first, as `release_list` returns them."""
    serving = directory.serving()
    return [_described(manifest, serving) for manifest in directory.manifests()]


def _described(manifest: Manifest, serving: str | None) -> dict[str, Any]:
    serves = manifest.id == serving
    unfinished = serves and (manifest.outcome != SERVING or manifest.pending)
    return {
        "id": manifest.id,
        "serves": serves,
        "version": manifest.version,
        "outcome": f"{SERVING}, unfinished" if unfinished else manifest.outcome,
        "reason": manifest.reason,
        "created": manifest.created,
        "finished": manifest.finished,
        "actor": manifest.actor,
        "images": manifest.images,
        "probe": manifest.probe,
        "seconds": manifest.seconds,
    }


def release_table(releases: list[dict[str, Any]]) -> list[str]:
    """Write the releases as aligned lines; the star marks the one that serves."""
    rows = [
        [
            "*" if one["serves"] else "",
            one["id"],
            one["version"],
            one["outcome"],
            one["finished"] or one["created"],
            who(one["actor"]),
            origin(one["actor"]),
            *_figures(one),
        ]
        for one in releases
    ]
    if not rows:
        return ["No release is on the host."]
    return aligned([RELEASE_COLUMNS + FIGURE_COLUMNS, *rows], right=len(FIGURE_COLUMNS))


def roll_table(entries: list[dict[str, Any]]) -> list[str]:
    """Write entries of the history as aligned lines, in their order."""
    rows = [
        [
            entry.get("at") or "-",
            entry.get("action") or "-",
            entry.get("from") or "-",
            entry.get("release") or "-",
            entry.get("version") or "-",
            entry.get("outcome") or "-",
            who(entry.get("actor") or {}),
            _first_line(entry.get("reason") or ""),
        ]
        for entry in entries
    ]
    return aligned([ROLL_COLUMNS, *rows]) if rows else ["No roll has ended yet."]


def aligned(rows: list[Any], right: int = 0) -> list[str]:
    """Pad each column to its widest cell, the last `right` ones to the left."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    first_figure = len(widths) - right
    return [
        "  ".join(
            str(cell).rjust(width) if place >= first_figure else str(cell).ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def who(actor: dict[str, Any]) -> str:
    """Name the person or the pipeline that brought a release."""
    return str(actor.get("who") or "-")


def origin(actor: dict[str, Any]) -> str:
    """Say from which commit and which run of the pipeline a release comes."""
    commit, run = str(actor.get("commit") or ""), actor.get("run_number")
    parts = [commit[:SHORT_COMMIT]] * bool(commit) + [f"run {run}"] * bool(run)
    return ", ".join(parts) or "-"


def _figures(release: dict[str, Any]) -> list[str]:
    probe, seconds = release["probe"], release["seconds"]
    slowest = probe.get("slowest")
    return [
        f"{sum(seconds.values()):.1f}" if seconds else "-",
        str(probe.get("asked", "-")),
        str(probe.get("lost", "-")),
        f"{slowest:.2f}" if slowest is not None else "-",
    ]


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= SHORT_REASON else f"{line[: SHORT_REASON - 1]}…"
