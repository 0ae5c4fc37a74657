"""What can be killed, and when: enumerated from real runs, so that no step is missed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from bench.names import ROOT
from bench.shell import BenchError
from bench.site import Site

BOUNDARY: Final = re.compile(r"^boundary (\d+); (.*)$", re.MULTILINE)
OVER_SSH: Final = "SSH: EXEC"
# A step that takes longer is also killed in its midst.
LONG_SECONDS: Final = 0.2
# A module lives about so long on the host.
MODULE_SECONDS: Final = 0.3
# What is killed on the host, see bench.reaper, and whether ansible-playbook is too.
VICTIMS: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "controller": ((), True),
    "module": (("module",), False),
    "session": (("session",), False),
    "process": (("process",), False),
    "both": (("unit",), True),
}


@dataclass(frozen=True)
class Work:
    """A playbook with its variables; `wanted` is the release or the version that then serves.

    One that is not `ok` is meant to fail, and to leave what served before. `first` is the step of
    its roll from which on it is of interest here.
    """

    action: str
    playbook: str
    variables: dict[str, Any]
    wanted: str
    ok: bool = True
    first: str = ""


def deploy(site: Site, **variables: Any) -> Work:
    """Deploy the version that does not serve now."""
    version = site.other_version()
    return Work("deploy", "deploy.yml", {"stack_version": version, **variables}, version)


def rollback(site: Site, **variables: Any) -> Work:
    """Roll back to the newest release that has served and does not now.

    By its id: to run that again means the same release again.
    """
    left = {"retired", "rolled back"}
    kept = [one for one, manifest in site.manifests().items() if manifest["outcome"] in left]
    if not kept:
        raise BenchError("No release is kept that could be gone back to")
    release = max(kept)
    return Work("rollback", "playbooks/rollback.yml", {"release": release, **variables}, release)


def going_back(site: Site, **variables: Any) -> Work:
    """Deploy a release that proves bad after the switch, but not to visitors: its scheduler ends.

    Its roll goes back by itself, and the same deploy again does the same again.
    """
    services = yaml.safe_load((ROOT / "group_vars/all/stack.yml").read_text())["stack_services"]
    services["scheduler"]["command"] = ["false"]
    bad = {"stack_version": site.other_version(), "stack_services": services, **variables}
    before = site.serves()["release"]
    return Work("deploy", "deploy.yml", bad, before, ok=False, first="back")


WORKS: Final[dict[str, Callable[..., Work]]] = {
    "deploy": deploy,
    "rollback": rollback,
    "going back": going_back,
}


@dataclass(frozen=True)
class Boundary:
    """Where a task begins: its number from 1, its name, and whether it works over SSH."""

    number: int
    name: str
    remote: bool


@dataclass(frozen=True)
class Step:
    """A line of a job's progress; `seconds` is how long the phase took that begins or ends."""

    phase: str
    event: str
    seconds: float


@dataclass(frozen=True)
class Point:
    """Who is killed and when: so long after a boundary between tasks, or after a step's line."""

    victim: str
    boundary: int = 0
    phase: str = ""
    event: str = ""
    delay: float = 0.0
    name: str = ""

    def __str__(self) -> str:
        """Say it for people."""
        where = f"task {self.boundary}, {self.name}" if self.boundary else self.phase
        later = f" + {self.delay:.2f} s" if self.delay else ""
        return " ".join(filter(None, (f"{self.victim} at", where, self.event))) + later


def boundaries(output: str) -> list[Boundary]:
    """Read the boundaries between tasks from what a run at -vvv printed."""
    marks = list(BOUNDARY.finditer(output))
    ends = [mark.start() for mark in marks[1:]] + [len(output)]
    return [
        Boundary(int(mark[1]), mark[2], OVER_SSH in output[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    ]


def steps(lines: list[dict[str, Any]], first: str = "") -> list[Step]:
    """Read the steps from a job's progress, from a phase on if one is named."""
    named = [line for line in lines if line["event"] in {"begin", "end"}]
    phases = [line["phase"] for line in named]
    seconds = {line["phase"]: line.get("seconds", 0.0) for line in named}
    begin = phases.index(first) if first else 0
    return [Step(one["phase"], one["event"], seconds[one["phase"]]) for one in named[begin:]]


def points(found: list[Boundary], named: list[Step], chance: random.Random) -> Iterator[Point]:
    """List all points: each victim at each moment at which it lives; chance draws the details."""
    for one in found:
        yield Point("controller", one.number, name=one.name)
        for victim in ("module", "session") if one.remote else ():
            delay = chance.choice([0.0, chance.uniform(0, MODULE_SECONDS)])
            yield Point(victim, one.number, delay=round(delay, 2), name=one.name)
    for step in named:
        here = Point("process", phase=step.phase, event=step.event)
        yield here
        if step.event == "begin" or step == named[-1]:
            # To all but the roll, the end of one step is the beginning of another.
            for victim in ("both", "controller", chance.choice(["module", "session"])):
                yield replace(here, victim=victim)
        if step.event == "begin" and step.seconds > LONG_SECONDS:
            yield replace(here, delay=round(chance.uniform(0.1, 0.9) * step.seconds, 2))


def newest_steps(site: Site, work: Work) -> list[Step]:
    """Return the steps of the newest roll that ended as this work does; none if there is none."""
    for job in reversed(site.jobs()):
        wanted = json.loads(site.read(f"jobs/{job}/job.json"))
        ended = site.ended(job)
        if wanted["action"] == work.action and ended and ended["ok"] is work.ok:
            lines = site.progress(job).lines
            if not work.first or any(line["phase"] == work.first for line in lines):
                return steps(lines, work.first)
    return []
