from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.release import StackDirectory

from tests.unit.release.fakes import FakeEngine, provisioned

Chowned = dict[str, tuple[int, int]]


@pytest.fixture(autouse=True)
def chowned(monkeypatch: pytest.MonkeyPatch) -> Chowned:
    """Note who was to own what, by path: giving files away takes root."""
    owners: Chowned = {}

    def chown(path: str | Path, uid: int, gid: int) -> None:
        owners[str(path)] = (uid, gid)

    def fchown(descriptor: int, uid: int, gid: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        final = path.with_name(path.name.removeprefix(".").removesuffix("~"))
        owners[str(final)] = (uid, gid)

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "fchown", fchown)
    return owners


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only a power cut could tell, and what takes most of a test's time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


@pytest.fixture
def engine(directory: StackDirectory) -> FakeEngine:
    return FakeEngine(directory)
