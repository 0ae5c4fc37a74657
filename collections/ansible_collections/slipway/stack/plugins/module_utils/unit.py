"""The host-side process as a transient systemd unit: it outlives the connection that started it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)

ANSWER_SECONDS = 30
# Enough to look up what a night's pipeline did; the history keeps a line of each for ever.
JOBS_KEPT = 20


class Jobs(Protocol):
    """Whose jobs they are: a stack's, or, of no stack, those that flip Traefik's slots."""

    @property
    def stack(self) -> str:
        """The stack's name, or nothing."""

    @property
    def jobs(self) -> Path:
        """The directory with one directory for each job."""


def unit_name(stack: str, job_id: str) -> str:
    """Name the unit; `journalctl --unit 'slipway-roll-*'` shows all of stacks."""
    return f"slipway-{f'roll-{stack}' if stack else 'flip'}-{job_id}.service"


def alive(job: JobDirectory, stack: str) -> bool:
    """Tell whether the process of a job runs."""
    state = systemd(
        *("systemctl", "show", "--property=ActiveState", "--value"),
        unit_name(stack, job.path.name),
    )
    return state.strip() in {"active", "activating", "deactivating", "reloading"}


def running(
    directory: StackDirectory, wanted: Callable[[Manifest], bool]
) -> tuple[str, Manifest] | None:
    """Find the job under way that brings such a release; return its id and the release."""
    for place in jobs(directory):
        with suppress(ReleaseError, OSError, ValueError):
            if place.result() is None and alive(place, directory.stack):
                manifest = directory.manifest(place.job().release)
                if wanted(manifest):
                    return place.path.name, manifest
    return None


def drop_old(directory: Jobs) -> None:
    """Drop the oldest jobs before another one comes, but none whose process runs.

    One that was killed has left no result, so that systemd is asked.
    """
    for place in jobs(directory)[JOBS_KEPT - 1 :]:
        if (place.path / "result.json").exists() or not alive(place, directory.stack):
            with suppress(FileNotFoundError):  # another deploy drops it at the same time
                shutil.rmtree(place.path)


def jobs(directory: Jobs) -> list[JobDirectory]:
    """List the jobs on the host, the newest first."""
    paths = directory.jobs.iterdir() if directory.jobs.is_dir() else []
    return [JobDirectory(path) for path in sorted(paths, reverse=True) if path.is_dir()]


def systemd(*command: str) -> str:
    """Run one of systemd's programs and return what it says."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"systemd does not answer to '{command[0]}' ({error}).") from error
    if done.returncode:
        raise ReleaseError(f"'{command[0]}' failed: {done.stderr.strip()}")
    return done.stdout
