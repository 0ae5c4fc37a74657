"""The host-side process as a transient systemd unit: it outlives the connection that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils import runner
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

ANSWER_SECONDS = 30


def unit_name(stack: str, job_id: str) -> str:
    """Name the unit; `journalctl --unit 'slipway-roll-*'` shows them all."""
    return f"slipway-roll-{stack}-{job_id}.service"


def start(job: JobDirectory, stack: str) -> None:
    """Start the process; it has its own copy of the code, and nothing of the caller's."""
    code = own_code()
    if code.is_file():
        job.code.write_bytes(code.read_bytes())
        code = job.code
    _systemd(
        "systemd-run",
        f"--unit={unit_name(stack, job.path.name)}",
        f"--description=Slipway rolls {stack}",
        "--collect",
        "--quiet",
        "--service-type=exec",
        # Nothing else may be the reason that a release is half rolled.
        "--property=OOMScoreAdjust=-900",
        f"--setenv=PYTHONPATH={code}",
        "--setenv=PYTHONDONTWRITEBYTECODE=1",
        *(sys.executable, "-m", runner.__name__, str(job.path)),
    )


def alive(job: JobDirectory, stack: str) -> bool:
    """Tell whether the process of a job runs."""
    state = _systemd(
        *("systemctl", "show", "--property=ActiveState", "--value"),
        unit_name(stack, job.path.name),
    )
    return state.strip() in {"active", "activating", "deactivating", "reloading"}


def own_code() -> Path:
    """Find the code that is running: Ansible's archive of a module, or a source directory."""
    archive = getattr(runner.__loader__, "archive", None)
    return Path(archive) if archive else Path(runner.__file__ or "").parents[5]


def _systemd(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"systemd does not answer to '{command[0]}' ({error}).") from error
    if done.returncode:
        raise ReleaseError(f"'{command[0]}' failed: {done.stderr.strip()}")
    return done.stdout
