"""Run programs quietly, and show what they said when they fail."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.names import LOGS

SHOWN_LINES = 40
_printing = threading.Lock()


class BenchError(Exception):
    """Something the reader of the message can act on."""


def say(line: str) -> None:
    """Print one whole line, also while other threads print theirs."""
    with _printing:
        print(line, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a line when the work begins, and one with its seconds when it ends."""
    started = time.monotonic()
    say(f"  …  {title}")
    try:
        yield
    except BaseException:
        say(f"  !! {title}: failed after {time.monotonic() - started:.1f} s")
        raise
    say(f"  ok {title}: {time.monotonic() - started:.1f} s")


def tail(text: str, lines: int = SHOWN_LINES) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    *,
    log: str = "bench",
    data: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command, append all it says to ``.bench/log/<log>.log``, return its standard output.

    Raises BenchError with the command and the end of its output when it fails.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    path = LOGS / f"{log}.log"
    try:
        done = subprocess.run(
            words,
            input=b"" if data is None else data,
            capture_output=True,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            check=False,
        )
    except FileNotFoundError as error:
        raise BenchError(f"{words[0]} is not installed") from error
    output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    with path.open("a") as file:
        file.write(f"$ {' '.join(words)}\n{output}{errors}\n")
    if done.returncode != 0:
        raise BenchError(
            f"`{' '.join(words)}` failed (exit code {done.returncode}); all of it: {path}\n"
            f"{tail(output + errors)}"
        )
    return output


def succeeds(command: Sequence[str | Path]) -> bool:
    """Say whether a command ends with 0; what it prints is dropped."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def wait_until(question: str, command: Sequence[str | Path], seconds: float) -> None:
    """Ask a command until it succeeds; raise BenchError with the question when it never does."""
    end = time.monotonic() + seconds
    while not succeeds(command):
        if time.monotonic() > end:
            raise BenchError(f"{question}: not within {seconds:.0f} s")
        time.sleep(0.2)
