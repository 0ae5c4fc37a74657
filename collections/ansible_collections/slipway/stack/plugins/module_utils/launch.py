"""Starting the host-side process, with a copy of the very code that asks for it."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils import runner
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.unit import systemd, unit_name


def start(job: JobDirectory, stack: str) -> None:
    """Start the process; it has its own copy of the code, and nothing of the caller's."""
    code = own_code()
    if code.is_file():
        job.code.write_bytes(code.read_bytes())
        code = job.code
    systemd(
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


def own_code() -> Path:
    """Find the code that is running: Ansible's archive of a module, or a source directory."""
    archive = getattr(runner.__loader__, "archive", None)
    return Path(archive) if archive else Path(runner.__file__ or "").parents[5]
