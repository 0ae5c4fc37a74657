"""Deploys and rollbacks that are killed at a chosen point, and what a plain re-run makes of it.

bench.points enumerates the points: the boundaries between the playbook's tasks, as
callbacks/boundaries.py names them, and the lines of the job's progress on the host.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import reaper
from bench.engine import client
from bench.load import Load
from bench.names import ROOT
from bench.playbooks import Run, settings
from bench.points import VICTIMS, Point, Work
from bench.shell import BenchError, tail
from bench.site import Site
from bench.tallies import Confirmed, broken_rules

PER_SECOND: Final = 30
FREE_SECONDS: Final = 5
ENDS_SECONDS: Final = 240  # for what was killed, or lost its other half
SHOWN: Final = 3
CALLBACKS: Final = {
    "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "molecule/shared/callbacks"),
    "ANSIBLE_CALLBACKS_ENABLED": "boundaries",
}
HOST_LOCK: Final = "/run/slipway/host.lock"


@dataclass
class Outcome:
    """What a kill cost, and what was wrong; `rolls` says whether a roll outlived it."""

    point: Point
    rolls: bool = False
    killed: list[str] = field(default_factory=list)
    asked: int = 0
    lost: int = 0
    free: float = 0.0
    again: float = 0.0
    problems: list[str] = field(default_factory=list)

    def row(self) -> str:
        """Return a row of the table."""
        return (
            f"{str(self.point)[:60]:60} {self.lost} of {self.asked:4} lost, locks free after "
            f"{self.free:5.2f} s, re-run {self.again:5.1f} s: {'; '.join(self.problems) or 'ok'}"
        )


class Playbook:
    """A run of ansible-playbook that names its boundaries, and may die at one."""

    def __init__(self, site: Site, work: Work, *options: str, dies_at: int = 0) -> None:
        """Begin."""
        self.output = ""
        self._mark = f"BENCH_RUN={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        self._process = subprocess.Popen(
            site.environment.command(work.playbook, "-vvv", *options, **work.variables),
            cwd=ROOT,
            env={**settings(), **CALLBACKS, "BENCH_DIE_AT": str(dies_at), name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the types
        for line in self._process.stdout:
            self.output += line

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def comes_to(self, boundary: int) -> None:
        """Wait for a boundary; BenchError when it ends before."""
        mark = f"boundary {boundary};"
        while mark not in self.output:
            if not self.lives:
                self._reader.join(1)
                if mark not in self.output:
                    raise BenchError(f"It never came to boundary {boundary}:\n{tail(self.output)}")
            time.sleep(0.002)

    def kill(self) -> None:
        """End ansible-playbook itself by SIGKILL; its own children it leaves behind."""
        self._process.kill()

    def clean(self) -> None:
        """End its workers: where they have more to tell than a pipe takes, they wait for ever."""
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                marked = self._mark.encode() in (entry / "environ").read_bytes()
                if marked and b"ansible-playbook" in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)

    def ended(self) -> Run:
        """Wait for its end; what it left behind may hold its output open, and is not waited for."""
        try:
            code = self._process.wait(ENDS_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise BenchError(f"The playbook did not end:\n{tail(self.output)}") from None
        self._reader.join(1)
        return Run(code, self.output)


class Watcher:
    """bench.reaper on the host; it is ready when this exists."""

    def __init__(self, site: Site, point: Point) -> None:
        """Begin to watch for the point."""
        stack = f"/srv/slipway/stacks/{site.stack}"
        order = {
            "jobs": f"{stack}/jobs",
            "locks": [f"{stack}/lock", HOST_LOCK],
            "victims": VICTIMS[point.victim][0],
            "phase": point.phase,
            "event": point.event,
            "delay": point.delay,
        }
        program = ["python3", "-c", Path(reaper.__file__).read_text(), json.dumps(order)]
        self._process = subprocess.Popen(
            [client(), "exec", "--interactive", site.container, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.hears("ready")

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the types
        for line in self._process.stdout:
            self._said.put(json.loads(line))

    def tell(self) -> None:
        """Say that the moment is now."""
        assert self._process.stdin is not None  # noqa: S101 - for the types
        self._process.stdin.write("now\n")
        self._process.stdin.flush()

    def hears(self, *words: str, may_come: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Wait for a line with one of these words; BenchError when it cannot come any more."""
        bound, grace = time.monotonic() + ENDS_SECONDS, 2.0
        while time.monotonic() < bound and grace > 0:
            try:
                said = self._said.get(timeout=0.1)
            except queue.Empty:
                grace -= 0 if may_come() else 0.1
                continue
            if any(word in said for word in words):
                return said
        raise BenchError(f"The watcher on the host did not come to '{words[0]}'")

    def end(self) -> None:
        """Leave the host."""
        assert self._process.stdin is not None  # noqa: S101 - for the types
        self._process.stdin.close()
        self._process.wait(ENDS_SECONDS)


@contextmanager
def interrupted(site: Site, work: Work, point: Point, outcome: Outcome) -> Iterator[None]:
    """Begin the work and kill at the point; what it left behind is ended after the block only."""
    controller = VICTIMS[point.victim][1]
    watcher = Watcher(site, point)
    playbook = Playbook(site, work, dies_at=point.boundary if controller else 0)
    try:
        try:
            if point.boundary:
                playbook.comes_to(point.boundary)
                if controller:
                    playbook.ended()
                watcher.tell()
            reached = watcher.hears(
                "reached", may_come=lambda: playbook.lives or point.boundary > 0
            )
            if controller:
                playbook.kill()
            outcome.killed = reached["killed"]
            said = watcher.hears("free", "rolls")
            outcome.free = said.get("free", 0.0)
            outcome.rolls = "rolls" in said
            playbook.ended()
        except BenchError as error:
            outcome.problems.append(str(error))
        finally:
            playbook.kill()
            watcher.end()
        yield
    finally:
        playbook.clean()


def seconds_until_free(site: Site) -> float:
    """Measure how long the locks are still held."""
    watcher = Watcher(site, Point("controller"))
    try:
        watcher.tell()
        return float(watcher.hears("free", "rolls").get("free", "inf"))
    finally:
        watcher.end()


def killed(site: Site, work: Work, point: Point) -> Outcome:
    """Kill at the point under load, run the same once more, and judge what came of it."""
    outcome = Outcome(point)
    before, jobs = site.serves()["release"], set(site.jobs())
    with (
        Load(site.visitor(), PER_SECOND) as load,
        interrupted(site, work, point, outcome),
    ):
        begun = time.monotonic()
        run = site.environment.playbook(work.playbook, **work.variables)
        outcome.again = time.monotonic() - begun
        if outcome.rolls:
            outcome.free = seconds_until_free(site)
    outcome.asked, outcome.lost = len(load.records), len(load.lost)
    outcome.problems += load.lost[:SHOWN]
    if outcome.free > FREE_SECONDS:
        outcome.problems.append("the locks were not free in time")
    if run.ok is not work.ok:
        outcome.problems.append(f"the re-run ended with {run.code}:\n{tail(run.output)}")
    outcome.problems += left_over(site, work)
    outcome.problems += foreign(site, load, before, sorted(set(site.jobs()) - jobs))
    return outcome


def foreign(site: Site, load: Load, before: str, jobs: list[str]) -> list[str]:
    """Say which visitors met neither of the two releases, or the old one after the last switch."""
    known = {before, *(json.loads(site.read(f"jobs/{job}/job.json"))["release"] for job in jobs)}
    met = {record.release for record in load.records if not record.lost}
    found = [f"{release} answered" for release in met - known]
    ends = [site.progress(job) for job in jobs]
    backs = [one.at("back", "end") for one in ends]
    confirmed = [at for one in ends if (at := one.at("confirm", "end"))]
    if confirmed and not any(backs):
        last = Confirmed(max(confirmed), site.serves()["release"])
        found += broken_rules(load.records, [last])[:1]
    return found


def left_over(site: Site, work: Work) -> list[str]:
    """Say what of a stack is not as it is when one release serves alone."""
    serving = site.serves()
    release, found = serving["release"], []
    if work.wanted not in serving.values():
        found.append(f"{serving} serves instead of {work.wanted}")
    manifests = site.manifests()
    shown = ("--filter", f"label=io.slipway.stack={site.stack}", "--format={{.Names}} {{.State}}")
    containers = set(site.run("docker", "ps", "--all", *shown).splitlines())
    services = manifests[release]["services"].values()
    wanted = {f"{name} running" for service in services for name in service["containers"]}
    if containers != wanted:
        found.append(f"containers {sorted(containers ^ wanted)}")
    if site.run("cat", site.routes) != site.read(f"releases/{release}/routes.yml"):
        found.append(f"{site.routes} is not that of {release}")
    if files := site.run("find", str(Path(site.routes).parent), "-name", "*.next.yml").split():
        found.append(f"a private way is left: {files}")
    units = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "slipway-roll-*")
    if left := site.run(*units).strip():
        found.append(f"units: {left}")
    outcomes = {one: manifest["outcome"] for one, manifest in manifests.items()}
    if [one for one, outcome in outcomes.items() if outcome == "serving"] != [release]:
        found.append(f"outcomes {outcomes}")
    if work.ok and "prepared" in outcomes.values():
        found.append(f"never finished: {outcomes}")
    return found
