"""Figures and rules of a load, from records made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench.asking import Record
from bench.tallies import (
    Confirmed,
    broken_rules,
    by_second,
    latency,
    losses,
    quantile,
    read_questions,
    shares,
    write_tables,
)


def record(at: float, release: str = "a", **fields: Any) -> Record:
    plain = Record(at, at, 0.01, "page", "new", 200, release, "")
    return plain._replace(**fields)


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100), (0.001, 1)]
)
def test_quantile_is_a_value_that_was_measured(share: float, wanted: float) -> None:
    assert quantile(range(1, 101), share) == wanted
    assert quantile([], share) == 0


def test_latency_leaves_out_what_was_lost_and_the_time_that_was_asked_for() -> None:
    asked = [record(0), record(0, kind="slow", seconds=5.02), record(0, seconds=9, lost="x")]
    figures = latency(asked)
    assert figures.count == 2
    assert figures.slowest == pytest.approx(0.02)


def test_release_that_is_not_to_answer_any_more_breaks_the_rule() -> None:
    confirmed = [Confirmed(0, "a"), Confirmed(10, "b"), Confirmed(20, "c")]
    good = [record(1), record(9.9, "b"), record(10, "b"), record(19, "c"), record(30, "c")]
    assert broken_rules(good, confirmed) == []
    (late,) = broken_rules([*good, record(10.5, "a")], confirmed)
    assert "a answered 0.50 s after b was confirmed" in late
    assert len(broken_rules([record(25, "b"), record(1, "c")], confirmed)) == 2


def test_question_that_was_lost_breaks_no_rule_but_is_listed() -> None:
    lost = record(10.5, "", lost="status 502")
    assert broken_rules([lost], [Confirmed(0, "a")]) == []
    assert losses([lost, record(1)]) == [
        "00:00:10.500000 page on a new connection, after 0.01 s: status 502"
    ]


def test_each_second_has_a_row() -> None:
    asked = [record(100), record(100.5), record(102.1, lost="x")]
    assert [row[:3] for row in by_second(asked)] == [("0", "2", "0"), ("2", "1", "1")]


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    asked = [record(1.25), record(2.5, "", connection="kept", status=0, lost='odd, "text"\n')]
    write_tables(tmp_path, asked)
    assert read_questions(tmp_path) == asked


def test_shares_are_in_percent() -> None:
    asked = [record(0), record(0, kind="write", connection="kept")]
    assert shares(asked) == ("50.0 % API, 50.0 % writes, 0.0 % of 5 s, 50.0 % on new connections")
