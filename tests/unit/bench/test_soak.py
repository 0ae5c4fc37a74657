"""How a soak is judged, from records and progress made by hand."""

from __future__ import annotations

from typing import Any, cast

import pytest
import requests
from bench.asking import Record
from bench.site import Site
from bench.soak import Deploy, Outcome, report, wrongly_written


def record(at: float, kind: str = "page", seconds: float = 0.01, lost: str = "") -> Record:
    return Record(at, at, seconds, kind, "new", 200, "a", lost)


def line(at: float, phase: str, event: str) -> dict[str, Any]:
    return {"at": at, "phase": phase, "event": event, "text": ""}


DEPLOY = Deploy(
    "b",
    begun=30,
    ended=50,
    progress=[
        line(35, "lock", "begin"),
        line(35, "lock", "end"),
        line(36, "confirm", "begin"),
        line(37, "confirm", "end"),
        line(40, "stop", "begin"),
        line(45, "stop", "end"),
    ],
)


def test_phases_and_the_confirmation_are_read_from_the_progress() -> None:
    assert DEPLOY.phases() == {"lock": (35, 35), "confirm": (36, 37), "stop": (40, 45)}
    assert DEPLOY.on_host == (35, 45)
    assert DEPLOY.confirmed is not None
    assert (DEPLOY.confirmed.at, DEPLOY.confirmed.release) == (37, "b")
    assert Deploy("b", 30, 50, DEPLOY.progress[:3]).confirmed is None


def test_report_compares_rolls_with_rest_and_ends_with_the_summary() -> None:
    rest = [record(at) for at in range(6, 20)]
    rolls = [record(at, seconds=0.03) for at in range(30, 50)]
    outcome = Outcome(0, 20, [*rest, *rolls, record(60, lost="status 502")], [DEPLOY], ["a rule"])
    said = report(outcome)
    assert any(one.startswith("during deploys:") and "3.0 x" in one for one in said)
    assert any("stop" in one and "p99 30 ms" in one for one in said)
    assert "broken: a rule" in said
    assert said[-1] == "soak: 35 requests, 1 lost, 1 deploys"


@pytest.mark.parametrize(
    ("there", "texts", "fault"), [(2, 2, False), (3, 3, False), (1, 1, True), (3, 2, True)]
)
def test_note_that_is_missing_or_there_twice_is_a_fault(
    there: int, texts: int, *, fault: bool
) -> None:
    class Answer(requests.Response):
        def json(self, **_: Any) -> Any:
            return {"notes": there, "texts": texts}

    class Fake:
        def visitor(self) -> Fake:
            return self

        def ask(self, method: str, path: str) -> requests.Response:
            assert (method, path) == ("DELETE", "/api/bench/written?author=x")
            return Answer()

    records = [record(1, "write"), record(2, "write"), record(3, "write", lost="no answer in 15 s")]
    assert bool(wrongly_written(cast(Site, Fake()), "x", records)) == fault
