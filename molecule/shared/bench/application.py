"""Build the sample application as a user would, and push it to the bench's registry."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Final

from bench.engine import docker
from bench.names import BUILDER, REGISTRY_NAME, ROOT
from bench.shell import BenchError, step

SOURCE: Final = ROOT / "example"
TARGET: Final = "/srv/example"
REPOSITORY: Final = f"{REGISTRY_NAME}/example"
# Made by tools in a working copy; the images are built from what is written by hand.
LEFT_OUT: Final = frozenset(
    {"node_modules", "dist", "__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)


def pack(folder: Path) -> bytes:
    """Return the folder as a tar archive, without what tools left in it."""

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if Path(member.name).name in LEFT_OUT:
            return None
        member.uid = member.gid = 0
        return member

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        tar.add(folder, arcname=".", filter=keep)
    return target.getvalue()


def on_builder(*command: str, version: str) -> None:
    """Run a command in the application's folder on the builder."""
    docker(
        *("exec", f"--workdir={TARGET}"),
        *(f"--env=REGISTRY={REPOSITORY}", f"--env=VERSION={version}"),
        *(BUILDER, *command),
        log="application",
    )


def publish(version: str) -> None:
    """Build the application's images as this version and push them."""
    if not (SOURCE / "compose.yml").exists():
        raise BenchError(f"{SOURCE}/compose.yml is missing: there is no application to build")
    with step(f"Build the application, version {version}"):
        docker("exec", BUILDER, "sh", "-c", f"rm -rf {TARGET} && mkdir {TARGET}")
        docker("cp", "-", f"{BUILDER}:{TARGET}", data=pack(SOURCE))
        on_builder("docker", "compose", "-f", "compose.yml", "build", version=version)
    with step(f"Push the application, version {version}"):
        on_builder("docker", "compose", "-f", "compose.yml", "push", "--quiet", version=version)
