"""The append-only history, and what playbooks/releases.yml shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.history import (
    aligned,
    append,
    listing,
    origin,
    read,
    release_table,
    roll_table,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREPARED,
    RETIRED,
    SERVING,
    StackDirectory,
)

from tests.unit.release.fakes import NEW, OLD, manifest, provisioned, serve, written

ACTOR = {"who": "ada", "run_number": 42, "run_url": "", "commit": "0123456789abcdef"}
PROBE = {"asked": 512, "lost": 0, "slowest": 0.1234, "losses": []}


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


def entry(number: int) -> dict[str, Any]:
    return {
        "at": f"2026-11-23T10:0{number}:00Z",
        "action": "deploy",
        "release": NEW,
        "from": OLD,
        "version": "1.4.1",
        "outcome": SERVING,
        "actor": ACTOR,
        "reason": "",
    }


def test_a_stack_without_rolls_has_no_history(directory: StackDirectory) -> None:
    assert read(directory) == []
    assert roll_table([]) == ["No roll has ended yet."]


def test_entries_come_back_in_their_order(directory: StackDirectory) -> None:
    for number in range(3):
        append(directory, entry(number))
    assert read(directory) == [entry(number) for number in range(3)]
    assert directory.history.stat().st_mode & 0o777 == 0o640


def test_what_a_crash_cut_off_costs_no_other_entry(directory: StackDirectory) -> None:
    append(directory, entry(0))
    with directory.history.open("a") as stream:
        stream.write('{"at": "2026-11-')
    append(directory, entry(1))
    append(directory, entry(2))
    assert read(directory) == [entry(0), entry(1), entry(2)]


def test_what_is_no_entry_is_left_out(directory: StackDirectory) -> None:
    directory.history.write_bytes(b"[]\n7\n\xff\n\n")
    append(directory, entry(1))
    assert read(directory) == [entry(1)]


def test_the_releases_are_listed_with_all_that_is_known(directory: StackDirectory) -> None:
    old = manifest(OLD, outcome=RETIRED, version="1.4.0", bank=1)
    new = manifest(
        outcome=SERVING,
        finished="2026-11-23T10:00:00Z",
        actor=ACTOR,
        probe=PROBE,
        seconds={"start": 1.5, "soak": 30.25},
    )
    for one in (old, new):
        written(directory, one)
    serve(directory, NEW)
    found = listing(directory)
    assert [one["id"] for one in found] == [NEW, OLD]
    assert [one["serves"] for one in found] == [True, False]
    assert found[0]["images"] == new.images
    assert found[0]["actor"] == ACTOR
    assert release_table(found) == [
        (
            "   release                   version  outcome  when                  who  from"
            "              seconds  asked  lost  slowest"
        ),
        (
            f"*  {NEW}  1.4.1    serving  2026-11-23T10:00:00Z  ada  01234567, run 42"
            "     31.8    512     0     0.12"
        ),
        (
            f"   {OLD}  1.4.0    retired  2026-11-22T18:30:00Z  -    -              "
            "         -      -     -        -"
        ),
    ]


@pytest.mark.parametrize("left", [{"outcome": PREPARED}, {"outcome": SERVING, "pending": ["warm"]}])
def test_a_roll_that_did_not_finish_shows(directory: StackDirectory, left: dict[str, Any]) -> None:
    written(directory, manifest(**left))
    serve(directory, NEW)
    assert listing(directory)[0]["outcome"] == "serving, unfinished"


def test_an_empty_host_says_so(directory: StackDirectory) -> None:
    assert release_table(listing(directory)) == ["No release is on the host."]


def test_rolls_show_the_first_line_of_what_went_wrong() -> None:
    bad = entry(1) | {"outcome": "failed", "reason": f"{'x' * 80}\nits last lines", "from": None}
    header, first, second = roll_table([entry(0), bad])
    assert header.split() == ["when", "action", "from", "to", "version", "outcome", "who", "reason"]
    assert OLD in first
    assert second.endswith(f"ada  {'x' * 59}…")


def test_an_entry_of_an_earlier_time_may_lack_fields() -> None:
    assert "serving" in roll_table([{"at": "2026-11-23T10:00:00Z", "outcome": "serving"}])[1]


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        ({}, "-"),
        ({"run_number": 0, "commit": ""}, "-"),
        ({"run_number": 7}, "run 7"),
        ({"commit": "0123456789"}, "01234567"),
    ],
)
def test_the_origin_names_what_is_known(actor: dict[str, Any], text: str) -> None:
    assert origin(actor) == text


def test_lines_end_without_spaces() -> None:
    assert aligned([["a", "b"], ["long", ""]]) == ["a     b", "long"]
