"""The host-side process as a transient systemd unit: it outlives the connection that started it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress

from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)

ANSWER_SECONDS = 30


def unit_name(stack: str, job_id: str) -> str:
    """Name the unit; `journalctl --unit 'slipway-roll-*'` shows them all."""
    return f"slipway-roll-{stack}-{job_id}.service"


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
    jobs = sorted(directory.jobs.iterdir(), reverse=True) if directory.jobs.is_dir() else []
    for place in map(JobDirectory, jobs):
        with suppress(ReleaseError, OSError, ValueError):
            if place.result() is None and alive(place, directory.stack):
                manifest = directory.manifest(place.job().release)
                if wanted(manifest):
                    return place.path.name, manifest
    return None


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
