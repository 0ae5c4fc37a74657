"""Directories and files by descriptor: nothing here ever follows a symbolic link.

Who may write to a directory may swap what is in it at any moment, so a path is no safe way to go.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

CHUNK = 1 << 20
# What is made here is for everybody to read.
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe may stand where a file should: opening it must not wait for a writer.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class InTheWay(Exception):  # noqa: N818 - no error: it waits for its turn
    """A file stands where a directory is to be."""


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close a descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a directory whose parents only root writes to."""
    with closing(os.open(path, DIRECTORY)) as descriptor:
        yield descriptor


@contextmanager
def made(parent: int, name: str, owner: int, *, replace: bool) -> Iterator[int]:
    """Open a directory, made if it is missing; a file in its place goes only with `replace`."""
    there = status(name, parent)
    if there and not stat.S_ISDIR(there.st_mode):
        if not replace:
            raise InTheWay
        os.unlink(name, dir_fd=parent)
        there = None
    if not there:
        os.mkdir(name, dir_fd=parent)
    with closing(os.open(name, DIRECTORY, dir_fd=parent)) as descriptor:
        if not there:
            os.fchown(descriptor, owner, owner)
            os.fchmod(descriptor, DIRECTORY_MODE)
        yield descriptor


@contextmanager
def below(root: int, parts: Sequence[str], owner: int) -> Iterator[int]:
    """Open a directory further down, made with all above it if it is missing."""
    with ExitStack() as stack:
        descriptor = root
        for part in parts:
            descriptor = stack.enter_context(made(descriptor, part, owner, replace=True))
        yield descriptor


def status(name: str, parent: int) -> os.stat_result | None:
    """Look at what has a name, itself and not what it leads to; None if there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def write_file(source: IO[bytes], name: str, parent: int, owner: int) -> None:
    """Write a file that does not exist yet."""
    descriptor = os.open(name, WRITE, 0o600, dir_fd=parent)
    with os.fdopen(descriptor, "wb") as stream:
        shutil.copyfileobj(source, stream, CHUNK)
        os.fchown(stream.fileno(), owner, owner)
        os.fchmod(stream.fileno(), FILE_MODE)
