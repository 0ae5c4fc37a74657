"""A program for a test host: kills what it is told to, at the very moment it is told.

python3 -c <this text> <order>; bench.kills starts it there as root. The order is JSON: `jobs` is
the directory of the stack's jobs, `locks` are the files that nobody may hold in the end. `victims`
names what is killed: `module` and `session`, Ansible's own processes; `process`, the one that
rolls; `unit`, that and its children. The moment is `delay` seconds after a new job's progress comes
to `phase` and `event`; without them, after a line comes in.

Says, as a line of JSON each: `ready`; `reached`, the moment has come, with what was `killed`; then
`rolls` when a roll is under way still, else `free`, the seconds until all locks were. Ends without
a word when its standard input does.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.002
LOCK_SECONDS = 30.0
LIMIT_SECONDS = 300.0  # for everything
RUNNER = "plugins.module_utils.runner"
LISTENER = "sshd"  # what Ansible runs here descends from it
DEAD = "ZX"
SHOWN = 60


@dataclass(frozen=True)
class Process:
    """A process as /proc shows it (proc(5))."""

    number: int
    parent: int
    name: str
    command: str


def processes() -> dict[int, Process]:
    """List what lives on this host."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state not in DEAD:
                number = int(entry.name)
                found[number] = Process(number, int(parent), name, command)
    return found


def descendants(living: dict[int, Process], parents: Iterable[int]) -> list[Process]:
    """List the children of some processes, and their children."""
    above = set(parents)
    direct = [one for one in living.values() if one.parent in above]
    return direct + (descendants(living, [one.number for one in direct]) if direct else [])


def rolling(jobs: Path, job: str = "") -> list[Process]:
    """Find the process of a job, or of any of these jobs."""
    found = []
    for one in processes().values():
        words = one.command.split()
        if one.name.startswith("python") and any(word.endswith(RUNNER) for word in words):
            place = Path(words[-1])
            if place.parent == jobs and job in {"", place.name}:
                found.append(one)
    return found


def remote(victim: str) -> list[Process]:
    """Find what Ansible runs on this host, once that is a module: its Python, or all of it."""
    living = processes()
    listeners = [one.number for one in living.values() if one.name == LISTENER and one.parent == 1]
    found = descendants(living, listeners)
    modules = [one for one in found if one.name.startswith("python")]
    return found if modules and victim == "session" else modules


class Reaper:
    """Carries out one order."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Look which jobs there are already."""
        self.order = order
        self.bound = time.monotonic() + LIMIT_SECONDS
        self.jobs = Path(order["jobs"])
        self.known = set(self._names())
        self.job = ""
        self.killed: dict[int, str] = {}

    def work(self) -> None:
        """Wait for the moment, kill, and say what came of it."""
        say(ready=True)
        if self.order["phase"]:
            self._until(self._reached)
        elif not sys.stdin.readline():
            return
        self._until(later(self.order["delay"]))
        for victim in self.order["victims"]:
            self._until(partial(self._kill, victim))
        moment = time.monotonic()
        say(reached=time.time(), killed=list(self.killed.values()))
        self._until(lambda: not self.killed.keys() & processes().keys())
        if rolling(self.jobs):
            say(rolls=True)
            return
        while not all(map(free, self.order["locks"])) and time.monotonic() < moment + LOCK_SECONDS:
            self._until(later(POLL_SECONDS))
        say(free=round(time.monotonic() - moment, 3))

    def _names(self) -> list[str]:
        return sorted(one.name for one in self.jobs.glob("*"))

    def _reached(self) -> bool:
        new = [name for name in self._names() if name not in self.known]
        if not new:
            return False
        self.job = new[-1]
        try:
            text = (self.jobs / self.job / "progress.jsonl").read_text()
        except FileNotFoundError:
            return False
        wanted = (self.order["phase"], self.order["event"])
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1:] == "\n"]
        return any((line["phase"], line["event"]) == wanted for line in lines)

    def _kill(self, victim: str) -> bool:
        """Kill what is there of a victim; False when there is nothing yet."""
        rolls = victim in {"process", "unit"}
        found = rolling(self.jobs, self.job) if rolls else remote(victim)
        self.killed |= {one.number: one.command[:SHOWN] or one.name for one in found}
        if victim == "unit" and found:
            unit = f"slipway-roll-{self.jobs.parent.name}-{self.job}.service"
            subprocess.run(["systemctl", "kill", "--signal=KILL", unit], check=False)
        else:
            for one in found:
                with suppress(ProcessLookupError):
                    os.kill(one.number, signal.SIGKILL)
        # After its last word a roll may end by itself before it is found.
        return bool(found) or (rolls and (self.jobs / self.job / "result.json").exists())

    def _until(self, done: Callable[[], bool]) -> None:
        """Wait; leave as soon as whoever asked is gone."""
        while not done():
            if time.monotonic() > self.bound:
                sys.exit()
            if select.select([sys.stdin], [], [], POLL_SECONDS)[0] and not sys.stdin.readline():
                sys.exit()


def later(seconds: float) -> Callable[[], bool]:
    """Return what is true after so many seconds."""
    bound = time.monotonic() + seconds
    return lambda: time.monotonic() >= bound


def free(lock: str) -> bool:
    """Say whether nobody holds a lock; the look itself holds it for a moment."""
    try:
        with Path(lock).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def say(**words: Any) -> None:
    """Tell whoever asked."""
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    Reaper(json.loads(sys.argv[1])).work()
