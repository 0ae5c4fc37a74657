"""Deploys one after the other under steady load: nothing may be lost, and it must be shown.

Ends with the line `soak: N requests, M lost, K deploys`. What it measured lies in .bench/soak:
questions.csv and seconds.csv (see bench.tallies), and deploys.json: when each deploy began and
ended on the wall clock, and when each phase of its roll did.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import requests

from bench import demo, engine
from bench.asking import LIMIT_SECONDS, Record, Settings
from bench.load import Running
from bench.names import ROOT, STATE
from bench.playbooks import Environment
from bench.shell import BenchError, say, step, tail
from bench.site import Site
from bench.tallies import SHOWN, Confirmed, between, broken_rules, latency, losses, shares

OVERLAY: Final = ROOT / "molecule/shared/overlays/load"
FOLDER: Final = STATE / "soak"
VERSIONS: Final = ("load-1", "load-2")
TURNS: Final[list[dict[str, Any]]] = [{"stack_version": version} for version in VERSIONS]
WARM_SECONDS: Final = 5  # a release's first questions are no measure of an idle one
HTTPS_PORT: Final = 443
CONFIRM: Final = "confirm"
# One in two hundred questions occupies a thread for five seconds: at 300 a second that is eight.
VARIABLES: Final[dict[str, Any]] = {
    "stack_soak_seconds": 2,
    "stack_environment": {"GUNICORN_CMD_ARGS": "--threads=16"},
}
DEMO: Final = Site(
    Environment((demo.INVENTORY,), courteous=True),
    stack="demo",
    domain=demo.DOMAIN,
    port=demo.HTTPS_PORT,
    container="slipway-demo",
)


@dataclass(frozen=True)
class Size:
    """How much to do: at least so many deploys, and at least so many requests."""

    deploys: int = 20
    requests: int = 100_000
    rate: float = 300.0
    idle_seconds: float = 20.0
    seed: int = 1


@dataclass(frozen=True)
class Deploy:
    """One deploy of a soak; times are the wall clock's."""

    release: str
    begun: float
    ended: float
    progress: list[dict[str, Any]]

    def line(self, number: int) -> str:
        """Say how it went."""
        phases = ", ".join(
            f"{name} {ended - begun:.1f}" for name, (begun, ended) in self.phases().items()
        )
        return f"deploy {number}: {self.release} in {self.ended - self.begun:.1f} s: {phases}"

    @property
    def on_host(self) -> tuple[float, float]:
        """When the host's own part began and ended."""
        return self.progress[0]["at"], self.progress[-1]["at"]

    @property
    def confirmed(self) -> Confirmed | None:
        """When Traefik said that the release serves, and only it."""
        for line in self.progress:
            if line["phase"] == CONFIRM and line["event"] == "end":
                return Confirmed(line["at"], self.release)
        return None

    def phases(self) -> dict[str, tuple[float, float]]:
        """Return when each phase of the roll began and ended."""
        begun = {line["phase"]: line["at"] for line in self.progress if line["event"] == "begin"}
        return {
            line["phase"]: (begun[line["phase"]], line["at"])
            for line in self.progress
            if line["event"] == "end"
        }


@dataclass(frozen=True)
class Outcome:
    """What a soak found; `broken` says which rules were broken, and nothing may stand there."""

    begun: float
    idle_until: float
    records: list[Record]
    deploys: list[Deploy]
    broken: list[str]

    def due(self, begin: float, end: float) -> list[Record]:
        """Return the questions that were due in that time."""
        return between(self.records, begin, end)

    @property
    def lost(self) -> list[str]:
        """The lost requests."""
        return losses(self.records)

    @property
    def summary(self) -> str:
        """The line that a soak ends with."""
        return (
            f"soak: {len(self.records)} requests, {len(self.lost)} lost, "
            f"{len(self.deploys)} deploys"
        )


def roll(site: Site, turn: dict[str, Any]) -> Deploy:
    """Deploy what the turn's variables say, and read how its roll went."""
    begun = time.time()
    run = site.deploy(**{**VARIABLES, **turn})
    ended = time.time()
    if not run.ok:
        raise BenchError(f"deploy.yml failed:\n{tail(run.output)}")
    job = site.jobs()[-1]
    progress = site.progress(job).lines
    if progress[0]["at"] < begun:
        raise BenchError(f"Nothing was rolled: {turn} serves already")
    release = json.loads(site.read(f"jobs/{job}/job.json"))["release"]
    return Deploy(release, begun, ended, progress)


def under_load(
    site: Site, turns: list[dict[str, Any]], size: Size, folder: Path, *, shown: bool = False
) -> Outcome:
    """Deploy what the turns say, one after the other, under load; judge what came of it.

    Each turn is a deploy's variables, beside VARIABLES; the first serves before the load begins.
    """
    at_rest = site.deploy(**{**VARIABLES, **turns[0]})
    if not at_rest.ok:
        raise BenchError(f"deploy.yml failed:\n{tail(at_rest.output)}")
    serving = site.serves()["release"]
    author = f"soak-{time.time_ns()}"
    settings = Settings(
        port=HTTPS_PORT,
        address=engine.address(site.container),
        domain=site.domain,
        rate=size.rate,
        seconds=LIMIT_SECONDS,
        seed=size.seed,
        author=author,
    )
    running = Running(settings, folder, shown=shown)
    begun = time.time()
    deploys: list[Deploy] = []
    broken: list[str] = []
    try:
        time.sleep(size.idle_seconds)
        while len(deploys) < size.deploys or (time.time() - begun) * size.rate < size.requests:
            deploys.append(roll(site, turns[(len(deploys) + 1) % len(turns)]))
            say(deploys[-1].line(len(deploys)))
    except BenchError as error:
        broken.append(str(error))
    finally:
        records = running.end()
    (folder / "deploys.json").write_text(json.dumps([asdict(one) for one in deploys], indent=2))
    confirmed = [Confirmed(begun, serving), *(one.confirmed for one in deploys if one.confirmed)]
    broken += [f"{one.release} was never confirmed" for one in deploys if not one.confirmed]
    broken += broken_rules(records, confirmed)
    broken += wrongly_written(site, author, records)
    return Outcome(begun, begun + size.idle_seconds, records, deploys, broken)


def wrongly_written(site: Site, author: str, records: list[Record]) -> list[str]:
    """Compare what was written with what was answered, and drop it; a note twice is a retry."""
    writes = [record for record in records if record.kind == "write"]
    answered = sum(not record.lost for record in writes)
    sent = f"{len(writes)} notes were sent, {answered} answered"
    try:
        answer = site.visitor().ask("DELETE", f"/api/bench/written?author={author}")
        found = answer.json()
    except requests.RequestException as error:
        return [f"{sent}, and nobody says how many are there: {error}"]
    if found["notes"] == found["texts"] and answered <= found["notes"] <= len(writes):
        return []
    return [f"{sent}, but {found['notes']} are there, with {found['texts']} texts"]


def report(outcome: Outcome) -> list[str]:
    """Return what a soak found, line by line; the last one is its summary."""
    rolling = [one for roll in outcome.deploys for one in outcome.due(roll.begun, roll.ended)]
    on_host = [one for roll in outcome.deploys for one in outcome.due(*roll.on_host)]
    idle = outcome.due(outcome.begun + WARM_SECONDS, outcome.idle_until)
    ratio = latency(rolling).p99 / (latency(idle).p99 or 1)
    lines = [
        f"made of {shares(outcome.records)}",
        f"idle:                      {latency(idle)}",
        f"during deploys:            {latency(rolling)}: {ratio:.1f} x the idle p99",
        f"while the host was at it:  {latency(on_host)}",
    ]
    phases: dict[str, list[Record]] = {}
    for deploy in outcome.deploys:
        for name, (begun, ended) in deploy.phases().items():
            phases.setdefault(name, []).extend(outcome.due(begun, ended))
    lines += [f"  {name:<14} {latency(asked)}" for name, asked in phases.items() if asked]
    for title, found in (("lost", outcome.lost), ("broken", outcome.broken)):
        lines += [f"{title}: {one}" for one in found[:SHOWN]]
    return [*lines, outcome.summary]


def run(size: Size) -> None:
    """Soak the demo's server, which is made for it where there is none, and then removed again.

    Leaves with exit code 1 when a request was lost or a rule was broken.
    """
    made = not engine.answers() or not engine.exists("container", DEMO.container)
    if made:
        demo.up()
    try:
        for version in VERSIONS:
            demo.publish(version, overlay=OVERLAY)
        with step("Soak"):
            outcome = under_load(DEMO, TURNS, size, FOLDER, shown=True)
        for line in report(outcome):
            say(line)
    finally:
        if made:
            demo.down()
    if outcome.lost or outcome.broken:
        raise SystemExit(1)
