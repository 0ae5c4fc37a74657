from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pipeline.programs import Programs
from tests.unit.pipeline.receiver import Receiver, receiving

SETTINGS = (
    "REGISTRY",
    "VERSION",
    "BRANCH",
    "CACHE",
    "DIGESTS",
    "GITHUB_",
    "SSH_",
    "VAULT_",
    "COSIGN_",
    "NOTIFY_",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as kept:
        yield kept


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without what this machine's own CI or shell may have set."""
    for name in os.environ:
        if name.startswith(SETTINGS):
            monkeypatch.delenv(name)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "programs"
    folder.mkdir()
    return Programs(folder, monkeypatch, ("docker", "syft", "cosign", "ansible-playbook", "ssh"))


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return path
