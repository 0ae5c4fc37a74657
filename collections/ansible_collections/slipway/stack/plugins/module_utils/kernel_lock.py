"""Locks that the kernel frees when their holder dies, however it dies; nobody unlocks by hand.

A lock is a flock(2) on a file. Whoever holds one alone leaves a record beside it (`<lock>.json`)
that says who and since when, and holds a lock of its own on the record: so a reader can tell a
record of now from one that a dead holder left, without ever touching the lock itself.

This file also is the program that holds a lock on a host for as long as a controller's line lasts
(see `main`): it is sent there as it stands, so it imports nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

POLL = 0.25
# Who just took a lock may not have left its record yet.
GRACE = 0.5
# A controller sends a sign of life every BEAT seconds; after SILENCE without one its line is cut.
BEAT = 10.0
SILENCE = 60.0
UNKNOWN = "a process that left no record ('lslocks' on the host shows it)"
TIME = "%Y-%m-%dT%H:%M:%SZ"


class BusyError(Exception):
    """Somebody else holds the lock; the message says who, since when and doing what."""


class LineCutError(Exception):
    """The controller is gone."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: `run` is the CI run's URL or number, `since` is ISO 8601 in UTC.

    `action` is a noun such as "deploy", "rollback" or "provision". Empty fields are not known.
    """

    action: str
    release: str = ""
    who: str = ""
    run: str = ""
    since: str = ""
    stack: str = ""

    def describe(self, now: datetime) -> str:
        """Say it in one phrase that can begin a sentence's middle."""
        text = f"the {self.action}"
        text += f" of the stack '{self.stack}'" if self.stack else ""
        text += f" to {self.release}" if self.release else ""
        text += f" by {self.who}" if self.who else ""
        text += f" (CI run {self.run})" if self.run else ""
        if self.since:
            began = datetime.strptime(self.since, TIME).replace(tzinfo=UTC)
            # The clock may have been set back since.
            seconds = max(0, int((now - began).total_seconds()))
            text += f", under way since {self.since} (for {seconds} s)"
        return text


@dataclass(frozen=True)
class Wanted:
    """A lock to take: alone, or beside others who share it."""

    path: Path
    alone: bool


def record_of(lock: Path) -> Path:
    """Return where the holder of a lock leaves its record."""
    return lock.with_name(f"{lock.name}.json")


def held_by(lock: Path) -> Holder | None:
    """Read who holds a lock alone; None for nobody, for those who share it or left no record."""
    try:
        with record_of(lock).open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Holder(**json.load(stream))
    except (FileNotFoundError, NotADirectoryError, TypeError, ValueError):
        pass
    return None


def take(wanted: Wanted) -> int | None:
    """Take a lock if it is free and return the descriptor that holds it, else None.

    No program that is started inherits the descriptor; a mere fork would.
    """
    mode = fcntl.LOCK_EX if wanted.alone else fcntl.LOCK_SH
    while True:
        descriptor = os.open(wanted.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            named = wanted.path.stat()
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            os.close(descriptor)
            continue
        held = os.fstat(descriptor)
        if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
            return descriptor
        # Somebody removed the file in between: a lock on what has no name keeps nobody out.
        os.close(descriptor)


def leave_record(lock: Path, holder: Holder) -> int:
    """Write the holder's record in one step; return the descriptor that shows it is of now."""
    temporary = lock.with_name(f".{lock.name}.json~")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, (json.dumps(asdict(holder)) + "\n").encode())
    temporary.replace(record_of(lock))
    return descriptor


def utc_now() -> datetime:
    """Return the time of day in UTC."""
    return datetime.now(UTC)


def blockers(lock: Path, others: Sequence[Path]) -> list[Holder]:
    """List who holds a lock alone, or who shares it: those hold one of `others` alone."""
    found = [held_by(path) for path in (lock, *others)]
    return [holder for holder in found if holder]


@contextmanager
def hold(
    wanted: Sequence[Wanted],
    holder: Holder,
    *,
    wait: float,
    now: Callable[[], float],
    pause: Callable[[float], None],
    progress: Callable[[str], None],
    others: Callable[[], Sequence[Path]] = lambda: (),
) -> Iterator[None]:
    """Hold all locks or none, so that who waits for one keeps nobody from another.

    Waits up to `wait` seconds, and says through `progress` for whom, once for each. After that
    BusyError. `others` lists the locks of those who may share a wanted one.
    """
    begun = now()
    told: list[list[Holder]] = []
    while True:
        descriptors, blocked = take_all(wanted)
        if blocked is None:
            break
        waited = now() - begun
        by = blockers(blocked, others())
        phrase = " and ".join(each.describe(utc_now()) for each in by) or UNKNOWN
        if waited >= max(wait, GRACE):
            raise BusyError(f"{phrase} holds {blocked}")
        if waited < wait and by not in told and (by or waited >= GRACE):
            told.append(by)
            progress(f"Waiting up to {wait:g} s: {phrase} holds {blocked}.")
        pause(POLL)
    records: list[Path] = []
    try:
        current = replace(holder, since=utc_now().strftime(TIME))
        for each in wanted:
            if each.alone:
                descriptors.append(leave_record(each.path, current))
                records.append(record_of(each.path))
        yield
    finally:
        for record in records:
            record.unlink(missing_ok=True)
        for descriptor in descriptors:
            os.close(descriptor)


def take_all(wanted: Sequence[Wanted]) -> tuple[list[int], Path | None]:
    """Take all locks and return their descriptors, or none and which one is not free."""
    descriptors: list[int] = []
    for each in wanted:
        descriptor = take(each)
        if descriptor is None:
            for taken in descriptors:
                os.close(taken)
            return [], each.path
        descriptors.append(descriptor)
    return descriptors, None


class Line:
    """The line to a controller, on standard input and output: cut, closed or silent, it is gone."""

    def __init__(self, silence: float = SILENCE) -> None:
        """Begin to listen; `silence` is how many seconds without a sign of life are too many."""
        self.silence = silence
        self.heard = time.monotonic()
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        self.poll.register(1, 0)  # errors and hang-ups are always told

    def pause(self, seconds: float) -> None:
        """Wait, but raise LineCutError as soon as the line is gone."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for descriptor, _ in self.poll.poll(min(left, self.silence) * 1000):
                if descriptor != 0 or not os.read(0, 4096):
                    raise LineCutError
                self.heard = time.monotonic()
            if time.monotonic() - self.heard > self.silence:
                raise LineCutError

    def say(self, state: str, text: str = "") -> None:
        """Tell the controller."""
        try:
            os.write(1, (json.dumps({"state": state, "text": text}) + "\n").encode())
        except OSError as error:
            raise LineCutError from error


def main() -> int:
    """Hold a lock alone until the controller lets go or is gone, whatever ended it.

    Reads a request, a line of JSON: `lock`, `host_directory`, `holder`, `wait`. Says, a line each,
    `waiting` with for whom, then `held`, or `busy` with who holds the lock.
    """
    request = json.loads(sys.stdin.buffer.readline())
    lock = Path(request["lock"])
    stacks = Path(request["host_directory"]) / "stacks"
    line = Line()
    with suppress(LineCutError):
        try:
            lock.parent.mkdir(mode=0o700, exist_ok=True)
            with hold(
                [Wanted(lock, alone=True)],
                Holder(**request["holder"]),
                wait=request["wait"],
                now=time.monotonic,
                pause=line.pause,
                progress=lambda text: line.say("waiting", text),
                others=lambda: sorted(stacks.glob("*/lock")),
            ):
                line.say("held")
                while True:
                    line.pause(BEAT)
        except BusyError as busy:
            line.say("busy", str(busy))
        except OSError as error:
            line.say("error", str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
