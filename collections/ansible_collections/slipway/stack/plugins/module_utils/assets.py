"""Files with hashed names: each release's own, and the store from which those of all are served.

    <stack directory>/releases/<id>/volumes/<volume>   a release's tree, written by it alone
    <stack directory>/volumes/<volume>                 the store, which only this module writes

A tree may be written by a container while it is read here, so no symbolic link is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.descriptors import (
    CHUNK,
    FILE_MODE,
    READ,
    InTheWay,
    closing,
    made,
    opened,
    status,
    write_file,
)
from ansible_collections.slipway.stack.plugins.module_utils.extract import extract
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

__all__ = ["Merged", "extract", "merge", "trim"]

# One name for all: nobody else writes to the store, and what a kill left is replaced or trimmed.
TEMPORARY = ".slipway~"


@dataclass
class Merged:
    """How many files of a tree are new in the store, replaced, and there already.

    `waiting` have another content there, which they replace later; `skipped` are no plain files.
    """

    added: int = 0
    replaced: int = 0
    same: int = 0
    waiting: int = 0
    skipped: int = 0


def merge(tree: Path, store: Path, *, replace: bool) -> Merged:
    """Link a release's files into the store, where they belong to the store's owner.

    What is missing is added. What has another content stays, unless `replace`; it is then replaced
    in one step, so that a reader sees the old file or the new.
    """
    try:
        with opened(tree) as source, opened(store) as target:
            merger = _Merger(os.fstat(target).st_uid, replace=replace)
            merger.directory(source, target)
    except OSError as error:
        raise ReleaseError(
            f"The files in {tree} cannot be put into {store}: {error}. Check that both directories "
            f"are there and that the disk is not full, then deploy again."
        ) from error
    return merger.found


def trim(store: Path, trees: Sequence[Path]) -> int:
    """Remove from the store what is in no tree of the kept releases; return how many files.

    Give the tree of every kept release. When one has none, the volume was of another scope at its
    time, and only the store may have its files: then nothing is removed.
    """
    if not trees or not all(directory.is_dir() for directory in (store, *trees)):
        return 0
    kept = {name for tree in trees for name in _files(tree)}
    removed = 0
    for parent, directories, files, descriptor in os.fwalk(store, topdown=False):
        for name in [*files, *directories]:
            if name in directories and not _is_link(name, descriptor):
                with suppress(OSError):  # it is not empty
                    os.rmdir(name, dir_fd=descriptor)
            elif os.path.relpath(Path(parent, name), store) not in kept:
                os.unlink(name, dir_fd=descriptor)
                removed += 1
    return removed


class _Merger:
    """Brings one tree into one store, directory by directory."""

    def __init__(self, owner: int, *, replace: bool) -> None:
        self.owner = owner
        self.replace = replace
        self.found = Merged()

    def directory(self, source: int, target: int) -> None:
        for name in sorted(os.listdir(source)):
            try:
                descriptor = os.open(name, READ, dir_fd=source)
            except OSError as error:
                # A symbolic link, a socket, or what its writer took away meanwhile.
                if error.errno not in (errno.ELOOP, errno.ENXIO, errno.ENOENT):
                    raise
                self.found.skipped += 1
                continue
            with closing(descriptor):
                mode = os.fstat(descriptor).st_mode
                if stat.S_ISREG(mode):
                    self._file(descriptor, name, target)
                elif stat.S_ISDIR(mode):
                    self._inner(descriptor, name, target)
                else:
                    self.found.skipped += 1

    def _inner(self, descriptor: int, name: str, target: int) -> None:
        try:
            with made(target, name, self.owner, replace=self.replace) as below:
                self.directory(descriptor, below)
        except InTheWay:
            self.found.waiting += 1

    def _file(self, file: int, name: str, target: int) -> None:
        here, there = os.fstat(file), status(name, target)
        if there and (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            self.found.same += 1
            return
        if there and stat.S_ISREG(there.st_mode) and _same_content(file, name, target):
            self.found.same += 1
            return
        if there and (not self.replace or stat.S_ISDIR(there.st_mode)):
            self.found.waiting += 1
            return
        os.fchown(file, self.owner, self.owner)
        os.fchmod(file, FILE_MODE)
        _place(file, name, target)
        if there:
            self.found.replaced += 1
        else:
            self.found.added += 1


def _place(file: int, name: str, target: int) -> None:
    """Give an open file a name in the store, in one step; copied where no link can lead."""
    with suppress(FileNotFoundError):
        os.unlink(TEMPORARY, dir_fd=target)
    try:
        # By its descriptor: under its name there may be something else by now.
        os.link(f"/proc/self/fd/{file}", TEMPORARY, dst_dir_fd=target, follow_symlinks=True)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with os.fdopen(os.dup(file), "rb") as source:
            source.seek(0)
            write_file(source, TEMPORARY, target, os.fstat(file).st_uid)
    os.rename(TEMPORARY, name, src_dir_fd=target, dst_dir_fd=target)


def _same_content(file: int, name: str, target: int) -> bool:
    with (
        os.fdopen(os.dup(file), "rb") as here,
        os.fdopen(os.open(name, READ, dir_fd=target), "rb") as there,
    ):
        if os.fstat(file).st_size != os.fstat(there.fileno()).st_size:
            return False
        while True:
            one, other = here.read(CHUNK), there.read(CHUNK)
            if one != other:
                return False
            if not one:
                return True


def _is_link(name: str, parent: int) -> bool:
    there = status(name, parent)
    return there is not None and stat.S_ISLNK(there.st_mode)


def _files(tree: Path) -> Iterator[str]:
    """Name the plain files of a tree, relative to it."""
    for parent, _, files, descriptor in os.fwalk(tree):
        for name in files:
            there = status(name, descriptor)
            if there and stat.S_ISREG(there.st_mode):
                yield os.path.relpath(Path(parent, name), tree)
