"""Replace releases under load, one after the other, and note what came of it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import requests

from bench import demo
from bench.asking import LIMIT_SECONDS, Record, Settings
from bench.load import Running
from bench.peers.ways import AUTHOR, Way
from bench.shell import BenchError, say
from bench.soak import HTTPS_PORT
from bench.tallies import between, latency
from bench.visitor import Visitor

VERSIONS: Final = ("bench-1", "bench-2")
SERVES_SECONDS: Final = 60
IN_A_ROW: Final = 10
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Size:
    """How much to do with each way."""

    rolls: int = 4
    rate: float = 200.0
    idle_seconds: float = 5.0
    pause_seconds: float = 4.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what measures nothing; BenchError."""
        for name in ("rolls", "rate"):
            if getattr(self, name) <= 0:
                raise BenchError(
                    f"--{name}={getattr(self, name)} measures nothing: say more than 0"
                )


@dataclass(frozen=True)
class Roll:
    """One replacement, from the command until visitors meet the new version alone."""

    version: str
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.begun


@dataclass(frozen=True)
class Measured:
    """What a way did under load; times are the wall clock's."""

    way: str
    records: list[Record]
    rolls: list[Roll]

    @property
    def lost(self) -> list[Record]:
        """The questions that have no good answer."""
        return [record for record in self.records if record.lost]

    @property
    def clean(self) -> int:
        """How many replacements lost nothing, the pause after each included."""
        begins = [*(roll.begun for roll in self.rolls), float("inf")]
        spans = [between(self.records, *span) for span in pairwise(begins)]
        return sum(not any(record.lost for record in asked) for asked in spans)


def under_load(name: str, way: Way, size: Size, folder: Path) -> Measured:
    """Replace what serves so often, under load; the first of VERSIONS serves when it begins."""
    settings = Settings(
        port=HTTPS_PORT,
        address=way.address,
        domain=demo.DOMAIN,
        rate=size.rate,
        seconds=LIMIT_SECONDS,
        seed=size.seed,
        author=AUTHOR,
        releases=False,
    )
    rolls: list[Roll] = []
    running = Running(settings, folder)
    try:
        time.sleep(size.idle_seconds)
        for number in range(1, size.rolls + 1):
            rolls.append(replace(way, VERSIONS[number % len(VERSIONS)]))
            time.sleep(size.pause_seconds)
    finally:
        records = running.end()
    (folder / "rolls.json").write_text(json.dumps([asdict(roll) for roll in rolls], indent=2))
    measured = Measured(name, records, rolls)
    say(f"     {len(records)} requests, {len(measured.lost)} lost, {latency(records)}")
    return measured


def replace(way: Way, version: str) -> Roll:
    """Replace what serves, and wait until visitors meet this version alone."""
    begun = time.time()
    way.replace(version)
    wait_for(Visitor(demo.DOMAIN, HTTPS_PORT, way.address), version)
    return Roll(version, begun, time.time())


def wait_for(visitor: Visitor, version: str) -> None:
    """Ask until so many answers in a row come from this version; BenchError when none do."""
    bound = time.monotonic() + SERVES_SECONDS
    row = 0
    while row < IN_A_ROW:
        if time.monotonic() > bound:
            raise BenchError(f"{version} does not serve within {SERVES_SECONDS} s")
        row = row + 1 if serves(visitor) == version else 0
        if not row:
            time.sleep(POLL_SECONDS)


def serves(visitor: Visitor) -> str:
    """Return the version that answers, "" while it or the page has no good answer."""
    try:
        visitor.get("/").raise_for_status()
        answer = visitor.get("/version")
        answer.raise_for_status()
        return str(answer.json()["version"])
    except requests.RequestException:
        return ""
