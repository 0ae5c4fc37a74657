"""Starting the host-side process, with a copy of the very code that asks for it."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.unit import systemd, unit_name

if TYPE_CHECKING:
    # Ansible packs what is imported. Only the processes on the host run these, from that archive.
    from ansible_collections.slipway.stack.plugins.module_utils import follow, runner  # noqa: F401

PACKAGE = __name__.rpartition(".")[0]
OURS = "ansible_collections/"
# The time of every file in an archive, so that it is the same whenever the code is.
ONE_TIME = (1980, 1, 1, 0, 0, 0)


def start(job: JobDirectory, stack: str, program: str = "runner") -> None:
    """Start the process; it has its own copy of the code, and nothing of the caller's.

    `program` names the module that does the job; it is of no stack where it is Traefik's.
    """
    if own_code().is_file():
        job.code.write_bytes(own_code().read_bytes())
    systemd(
        "systemd-run",
        f"--unit={unit_name(stack, job.path.name)}",
        f"--description=Slipway {f'rolls {stack}' if stack else 'replaces Traefik'}",
        "--collect",
        "--quiet",
        "--service-type=exec",
        # Nothing else may be the reason that a release is half rolled.
        "--property=OOMScoreAdjust=-900",
        *(f"--setenv={name}={value}" for name, value in environment(job).items()),
        *python(program),
        str(job.path),
    )


def follower(job: JobDirectory, stack: str) -> list[str]:
    """Return the command that waits for news; what is known already is to be added to it."""
    settings = [f"{name}={value}" for name, value in environment(job).items()]
    return ["env", *settings, *python("follow"), str(job.path), stack]


def python(module: str) -> list[str]:
    """Return the command that runs one of our modules with this Python's own library alone.

    Ansible's archive brings a file that Python would take for the host's own customization.
    """
    return [sys.executable, "-S", "-m", f"{PACKAGE}.{module}"]


def environment(job: JobDirectory) -> dict[str, str]:
    """Return what has Python find the job's code, and leave nothing beside it."""
    code = job.code if job.code.exists() else own_code()
    return {"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}


def own_code() -> Path:
    """Find the code that is running: Ansible's archive of a module, or a source directory."""
    archive = getattr(sys.modules[__name__].__loader__, "archive", None)
    return Path(archive) if archive else Path(__file__).parents[5]


def packed() -> bytes:
    """Return the code that is running as an archive, for a program that stays on the host.

    Ansible's own archive is another one each time, and holds what no program of ours needs.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(own_code()) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(source.namelist()):
            if name.startswith(OURS):
                archive.writestr(zipfile.ZipInfo(name, ONE_TIME), source.read(name))
    return buffer.getvalue()


def install(path: Path, code: bytes) -> None:
    """Put a program's archive in its place in one step."""
    temporary = path.with_name(f".{path.name}~")
    temporary.write_bytes(code)
    temporary.chmod(0o644)
    temporary.replace(path)
