"""What came of a load: figures, tables for plots, and the rules that a roll must keep."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.asking import Record
from bench.questions import PAGES, SLOW_SECONDS

SHOWN: Final = 20
QUESTIONS: Final = "questions.csv"
EACH_SECOND: Final = ("second", "asked", "lost", "p50", "p95", "p99", "max")


@dataclass(frozen=True)
class Latency:
    """Seconds from when a question was due to its whole answer."""

    count: int
    p50: float
    p95: float
    p99: float
    slowest: float

    def __str__(self) -> str:
        """Return the figures in milliseconds."""
        shown = (("p50", self.p50), ("p95", self.p95), ("p99", self.p99), ("max", self.slowest))
        return ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in shown)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not pass."""
    if not ordered:
        return 0.0
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def latency(records: Iterable[Record]) -> Latency:
    """Take the answered questions; of those that ask for it, without the time they ask for."""
    times = sorted(
        record.seconds - (SLOW_SECONDS if record.kind == "slow" else 0)
        for record in records
        if not record.lost
    )
    p50, p95, p99 = (quantile(times, share) for share in (0.5, 0.95, 0.99))
    return Latency(len(times), p50, p95, p99, times[-1] if times else 0.0)


def between(records: Iterable[Record], begin: float, end: float) -> list[Record]:
    """Return the questions that were due in that time."""
    return [record for record in records if begin <= record.due < end]


def losses(records: Iterable[Record]) -> list[str]:
    """Say of each lost question when it was due, what it asked for and what became of it."""
    return [
        f"{datetime.fromtimestamp(record.due, UTC):%H:%M:%S.%f} {record.kind} on a "
        f"{record.connection} connection, after {record.seconds:.2f} s: {record.lost}"
        for record in records
        if record.lost
    ]


def shares(records: Sequence[Record]) -> str:
    """Say how the questions were made up, in percent of all."""
    kinds = Counter(record.kind for record in records)
    whole = max(len(records), 1)
    percent = {
        "API": sum(count for kind, count in kinds.items() if kind not in PAGES),
        "writes": kinds["write"],
        f"of {SLOW_SECONDS} s": kinds["slow"],
        "on new connections": sum(record.connection == "new" for record in records),
    }
    return ", ".join(f"{100 * count / whole:.1f} % {name}" for name, count in percent.items())


@dataclass(frozen=True)
class Confirmed:
    """The moment, on the wall clock, after which only this release answers new questions."""

    at: float
    release: str


def broken_rules(records: Iterable[Record], confirmed: Sequence[Confirmed]) -> list[str]:
    """Say which answers came from a release that was not to answer any more, or not known.

    Between two confirmations a question may be answered by the confirmed release, or by the next
    one, which begins to serve a moment before it is confirmed.
    """
    steps = list(zip(confirmed, [*confirmed[1:], None], strict=True))
    found = []
    for now, following in steps:
        end = following.at if following else float("inf")
        allowed = {now.release, following.release if following else now.release}
        found += [
            f"{datetime.fromtimestamp(record.begun, UTC):%H:%M:%S.%f} {record.kind}: "
            f"{record.release} answered {record.begun - now.at:.2f} s after {now.release} "
            f"was confirmed"
            for record in records
            if now.at <= record.begun < end and not record.lost and record.release not in allowed
        ]
    return found


def in_seconds(records: Sequence[Record]) -> dict[int, list[Record]]:
    """Return what was due in each second, counted from the first question, in order."""
    begun = min((record.due for record in records), default=0.0)
    seconds: dict[int, list[Record]] = {}
    for record in sorted(records):
        seconds.setdefault(int(record.due - begun), []).append(record)
    return seconds


def by_second(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Return a row for each second in which a question was due, in the words of EACH_SECOND."""
    rows = []
    for second, asked in in_seconds(records).items():
        figures = latency(asked)
        times = (figures.p50, figures.p95, figures.p99, figures.slowest)
        lost = sum(bool(record.lost) for record in asked)
        rows.append((str(second), str(len(asked)), str(lost), *(f"{value:.4f}" for value in times)))
    return rows


def write_tables(folder: Path, records: Sequence[Record]) -> None:
    """Write questions.csv, a row for each question, and seconds.csv, a row for each second."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "seconds.csv").open("w", newline="") as file:
        csv.writer(file).writerows([EACH_SECOND, *by_second(records)])
    with (folder / QUESTIONS).open("w", newline="") as file:
        csv.writer(file).writerows([Record._fields, *records])


def read_questions(folder: Path) -> list[Record]:
    """Read what `write_tables` wrote."""
    with (folder / QUESTIONS).open(newline="") as file:
        return [
            Record(
                due=float(row["due"]),
                begun=float(row["begun"]),
                seconds=float(row["seconds"]),
                kind=row["kind"],
                connection=row["connection"],
                status=int(row["status"]),
                release=row["release"],
                lost=row["lost"],
            )
            for row in csv.DictReader(file)
        ]
