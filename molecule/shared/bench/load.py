"""Load from outside, in a process of its own: every question is asked once, answered or lost.

Open loop: a late answer does not delay the next question. Half of the questions come on new
connections. Bounded: ends with its block, with whoever started it, or after its own limit.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from bench.asking import ANSWER_SECONDS, Asker, Record, Settings
from bench.names import ROOT
from bench.shell import BenchError, say
from bench.tallies import (
    QUESTIONS,
    SHOWN,
    latency,
    losses,
    quantile,
    read_questions,
    shares,
    write_tables,
)
from bench.visitor import Visitor

START_SECONDS: Final = 15
LIMIT_SECONDS: Final = 300  # of a load that ends with its block
BEGUN: Final = "asking"


class Narrator:
    """Keeps the records, and prints a line for each second."""

    def __init__(self) -> None:
        """Begin with none."""
        self.records: list[Record] = []
        self._shown = 0

    async def tell(self) -> None:
        """Print what ended within each second, until cancelled."""
        begun = time.monotonic()
        for second in range(1, sys.maxsize):
            await asyncio.sleep(begun + second - time.monotonic())
            ended = self.records[self._shown :]
            self._shown += len(ended)
            lost = Counter(record.lost for record in ended if record.lost)
            told = (
                f"  {second:4d} s  {len(ended):4d} answered, {lost.total()} lost, {latency(ended)}"
            )
            print(told, *(f"{count} x {what}" for what, count in lost.most_common(3)), flush=True)


async def ask(settings: Settings, *, until_eof: bool) -> list[Record]:
    """Ask until the settings' bounds, a signal or, if so wanted, the end of the standard input."""
    narrator = Narrator()
    asker = Asker(settings, narrator.records.append)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asker.end)

    def left() -> None:
        loop.remove_reader(sys.stdin)
        asker.end()

    if until_eof:
        # Whoever started us holds the other end: it closes it, or it has died.
        loop.add_reader(sys.stdin, left)
    print(BEGUN, flush=True)
    teller = asyncio.create_task(narrator.tell())
    try:
        await asker.run()
    finally:
        teller.cancel()
    return sorted(narrator.records)


def main(settings: Settings, folder: Path | None, *, until_eof: bool = False) -> bool:
    """Ask, print the totals, write the tables; say whether nothing was lost."""
    before = processor_seconds()
    records = asyncio.run(ask(settings, until_eof=until_eof))
    print(describe(records, processor_seconds() - before))
    if folder is not None:
        write_tables(folder, records)
    return not any(record.lost for record in records)


def processor_seconds() -> float:
    """Return what this process has used of the processors."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def describe(records: list[Record], cost: float) -> str:
    """Return the totals of a load, and what the load itself cost."""
    count = max(len(records), 1)
    lost = losses(records)
    span = records[-1].due - records[0].due if len(records) > 1 else 0.0
    late = sorted(record.begun - record.due for record in records) or [0.0]
    lines = [
        f"{len(records)} requests, {len(lost)} lost; {len(records) / (span or 1):.0f} a second",
        f"  {shares(records)}",
        f"  {latency(records)}",
        f"  the load itself: {1000 * cost / count:.2f} ms of processor a request",
        f"  asked late by p99 {1000 * quantile(late, 0.99):.1f} ms, max {1000 * late[-1]:.1f} ms",
        *(f"  lost: {one}" for one in lost[:SHOWN]),
    ]
    return "\n".join(lines)


def command(settings: Settings, folder: Path) -> list[str]:
    """Return the command that asks so, in a process of its own."""
    words = [
        f"--{field.name.replace('_', '-')}={getattr(settings, field.name)}"
        for field in fields(Settings)
        if field.name != "releases"
    ]
    nameless = [] if settings.releases else ["--nameless"]
    program = [sys.executable, "-m", "bench", "load", "--until-eof", f"--into={folder}"]
    return [*program, *words, *nameless]


class Running:
    """A load in a process of its own; it has begun when this exists."""

    def __init__(self, settings: Settings, folder: Path, *, shown: bool = False) -> None:
        """Begin; what the load prints is printed too, if it is to be shown."""
        self.folder = folder
        self.said: list[str] = []
        self._shown = shown
        self._begun = threading.Event()
        self._process = subprocess.Popen(
            command(settings, folder),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "molecule/shared")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._begun.wait(START_SECONDS) or self._process.poll() is not None:
            self._process.kill()
            raise BenchError("The load did not begin:\n" + "\n".join(self.said))

    def end(self) -> list[Record]:
        """Stop to ask, wait for the answers that are under way, and return what was noted."""
        assert self._process.stdin is not None  # noqa: S101 - for the types
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_SECONDS + START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise BenchError("The load did not end:\n" + "\n".join(self.said)) from None
        self._reader.join()
        if not (self.folder / QUESTIONS).exists():
            raise BenchError("The load failed:\n" + "\n".join(self.said))
        return read_questions(self.folder)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the types
        for line in self._process.stdout:
            if line.strip() == BEGUN:
                self._begun.set()
                continue
            self.said.append(line.rstrip())
            if self._shown:
                say(line.rstrip())
        self._begun.set()


@dataclass
class Load:
    """Asks for the visitor's paths at a steady rate while its block runs."""

    visitor: Visitor
    per_second: int
    mix: str = "reads"
    records: list[Record] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        address = urlsplit(self.visitor.base)
        assert address.port is not None  # noqa: S101 - a visitor aims at a published port
        self._folder = tempfile.TemporaryDirectory(prefix="bench-load-")
        settings = Settings(
            port=address.port,
            domain=str(self.visitor.session.headers["Host"]),
            rate=self.per_second,
            seconds=LIMIT_SECONDS,
            mix=self.mix,
        )
        self._running = Running(settings, Path(self._folder.name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to ask, and wait for the answers that are under way."""
        with self._folder:
            self.records = self._running.end()

    @property
    def answered(self) -> list[float]:
        """The seconds that each good answer took."""
        return [record.seconds for record in self.records if not record.lost]

    @property
    def lost(self) -> list[str]:
        """What became of each question that has no good answer."""
        return losses(self.records)

    def summary(self) -> str:
        """Say how many were answered and lost, and what the first lost ones met."""
        return f"{len(self.answered)} answered, {len(self.lost)} lost: {self.lost[:5]}"
