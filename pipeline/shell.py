"""Running programs, and saying what is wrong in one message."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class PipelineError(Exception):
    """What a step failed of; the message says what is wrong and what to do."""


def say(text: str) -> None:
    """Print a line at once, also where the output is a file."""
    print(text, flush=True)


def setting(name: str, default: str | None = None) -> str:
    """Return a setting from the environment; PipelineError when it is needed and missing."""
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise PipelineError(f"{name} is not set: docs/pipeline.md lists what each step needs.")
    return value


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program and let it speak for itself; PipelineError when it fails."""
    words = [str(word) for word in command]
    say(f"$ {shlex.join(words)}")
    done = _started(words, folder, environment, capture=False)
    if done.returncode != 0:
        raise PipelineError(f"`{shlex.join(words)}` failed with exit code {done.returncode}.")


def ask(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    data: str = "",
) -> str:
    """Run a program and return what it says; PipelineError with its errors when it fails."""
    words = [str(word) for word in command]
    done = _started(words, folder, environment, capture=True, data=data)
    if done.returncode != 0:
        raise PipelineError(
            f"`{shlex.join(words)}` failed with exit code {done.returncode}:\n{done.stderr.strip()}"
        )
    return done.stdout


def _started(
    words: list[str],
    folder: Path | None,
    environment: Mapping[str, str] | None,
    *,
    capture: bool,
    data: str = "",
) -> subprocess.CompletedProcess[str]:
    sys.stdout.flush()
    try:
        return subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            input=data,
            capture_output=capture,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        missing = folder if folder and not folder.is_dir() else words[0]
        raise PipelineError(f"{missing} is not there.") from error
