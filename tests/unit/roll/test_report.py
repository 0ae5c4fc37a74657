"""What people read of a roll: its progress, and its report."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.report import lines
from ansible_collections.slipway.stack.plugins.plugin_utils.following import shown

from tests.unit.release.fakes import NEW, OLD


def report(**changes: Any) -> dict[str, Any]:
    return {
        "action": "deploy",
        "old": OLD,
        "new": NEW,
        "version": "1.4.1",
        "images": {"frontend": "f@sha256:2", "backend": "b@sha256:1"},
        "seconds": {"start": 0.51, "healthy": 2.0},
        "probe": {"asked": 412, "lost": 0, "slowest": 0.214},
        "lost": [],
    } | changes


def test_the_report_names_the_releases_digests_seconds_and_the_probers_count() -> None:
    assert lines("shop", report()) == [
        f"shop: {OLD} → {NEW} (version 1.4.1)",
        "backend: b@sha256:1",
        "frontend: f@sha256:2",
        "seconds: start 0.5, healthy 2.0",
        "probed: 412 requests, 0 lost, slowest 0.21 s",
    ]


def test_a_first_release_comes_from_nothing_and_was_not_probed() -> None:
    first = report(old=None, probe={"asked": 0, "lost": 0, "slowest": 0.0})
    head, *_, probed = lines("shop", first)
    assert head == f"shop: nothing → {NEW} (version 1.4.1)"
    assert probed == "probed: nothing (nothing served before, or stack_probe_rate is 0)"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"phase": "pull", "event": "begin", "text": ""}, ""),
        (
            {"phase": "pull", "event": "end", "text": "", "seconds": 2.04},
            "  pull              2.0 s",
        ),
        ({"phase": "lock", "event": "end", "text": ""}, ""),
        ({"phase": "lock", "event": "note", "text": "ada deploys"}, "  lock: ada deploys"),
    ],
)
def test_a_line_of_the_progress_is_shown_when_it_says_something(
    line: dict[str, Any], text: str
) -> None:
    assert shown(line) == text
