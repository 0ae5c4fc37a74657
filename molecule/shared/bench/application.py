"""Build an application as a user would, and push it to the bench's registry."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Final

from bench.engine import docker
from bench.names import BUILDER, REGISTRY_NAME, ROOT
from bench.shell import BenchError, step

SOURCE: Final = ROOT / "example"
# Made by tools in a working copy; the images are built from what is written by hand.
LEFT_OUT: Final = frozenset(
    {
        *("node_modules", "dist", "__pycache__", ".venv", ".env"),
        *(".pytest_cache", ".mypy_cache", ".ruff_cache"),
    }
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


def publish(version: str, source: Path = SOURCE, overlay: Path | None = None) -> None:
    """Build an application's images as this version and push them, named after its folder.

    The overlay's files are laid over the source's: a version that differs by them alone.
    """
    if not (source / "compose.yml").exists():
        raise BenchError(f"{source}/compose.yml is missing: there is no application to build")
    target = f"/srv/{source.name}"

    def compose(*command: str) -> None:
        docker(
            *("exec", f"--workdir={target}"),
            *(f"--env=REGISTRY={REGISTRY_NAME}/{source.name}", f"--env=VERSION={version}"),
            *(BUILDER, "docker", "compose", "-f", "compose.yml", *command),
            log="application",
        )

    with step(f"Build {source.name}, version {version}"):
        docker("exec", BUILDER, "sh", "-c", f"rm -rf {target} && mkdir {target}")
        for folder in filter(None, (source, overlay)):
            docker("cp", "-", f"{BUILDER}:{target}", data=pack(folder))
        compose("build")
    with step(f"Push {source.name}, version {version}"):
        compose("push", "--quiet")
