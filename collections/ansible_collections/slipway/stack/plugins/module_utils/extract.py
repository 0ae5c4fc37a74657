"""Copying files out of an image, without running it."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ansible_collections.slipway.stack.plugins.module_utils.descriptors import (
    CHUNK,
    below,
    made,
    opened,
    write_file,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

COPY_SECONDS = 600


def extract(
    engine: Engine,
    image: str,
    path: str,
    target: Path,
    *,
    owner: int,
    labels: Mapping[str, str] | None = None,
) -> int:
    """Copy a directory out of an image, which must be on the host, and return how many files.

    No process of the image runs. `labels` go to the container that exists meanwhile, so that
    whoever cleans up after a kill finds it. ReleaseError names the volume, after the target.
    """
    try:
        container = engine.run(
            *("create", "--pull", "never", "--network", "none"),
            *(f"--label={name}={value}" for name, value in (labels or {}).items()),
            # Some images name no command; this one never runs.
            *(image, "true"),
        ).strip()
        try:
            with _archive(container, path) as stream, opened(target) as root:
                return _unpack(stream, root, owner)
        finally:
            engine.remove(container, volumes=True)
    except (EngineError, OSError, tarfile.TarError) as error:
        raise ReleaseError(
            f"The files of the volume {target.name} cannot be copied out of {image}: {error}\n"
            f"Check stack_volumes.{target.name}.from, and that the disk is not full."
        ) from error


@contextmanager
def _archive(container: str, path: str) -> Iterator[IO[bytes]]:
    """Stream a container's directory as tar; EngineError when the engine could not give it all."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["docker", "cp", f"{container}:{path}/.", "-"], stdout=subprocess.PIPE, stderr=said
        )
        watch = threading.Timer(COPY_SECONDS, process.kill)
        watch.start()
        stream: IO[bytes] = process.stdout  # type: ignore[assignment]  # it is a pipe
        problem: Exception | None = None
        try:
            yield stream
        except tarfile.TarError as error:
            # What the engine said of it says more.
            problem = error
        finally:
            stream.close()
            code = process.wait()
            watch.cancel()
        if code == -signal.SIGKILL:
            raise EngineError(f"'docker cp' of {path} did not end within {COPY_SECONDS} seconds.")
        if code:
            said.seek(0)
            raise EngineError(f"'docker cp' of {path} failed: {said.read().decode().strip()}")
        if problem:
            raise problem


def _unpack(stream: IO[bytes], root: int, owner: int) -> int:
    """Write an archive's directories and plain files below a directory; links are left out."""
    count = 0
    # Debian 12's Python has no extraction filters, and these rules are stricter.
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            *parents, name = _parts(member.name) or [""]
            if not name or not (member.isdir() or member.isfile() or member.islnk()):
                continue
            with below(root, parents, owner) as parent:
                if member.isdir():
                    with made(parent, name, owner, replace=True):
                        continue
                with suppress(FileNotFoundError):
                    # Never written into: the old file may be linked to from the store.
                    os.unlink(name, dir_fd=parent)
                if member.islnk():
                    *others, original = _parts(member.linkname) or [""]
                    with below(root, others, owner) as other:
                        os.link(
                            original,
                            name,
                            src_dir_fd=other,
                            dst_dir_fd=parent,
                            follow_symlinks=False,
                        )
                else:
                    source = archive.extractfile(member)
                    if source:
                        write_file(source, name, parent, owner)
                count += 1
    while stream.read(CHUNK):
        pass
    return count


def _parts(name: str) -> list[str]:
    """Split an archive's name; EngineError when it leads out."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise EngineError(f"The archive has a name that leads out: {name!r}.")
    return parts
