"""What the tests of a whole roll share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.roll.stage import Stage, staged


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Build a host on which one release serves and another is prepared."""
    return staged(tmp_path, monkeypatch)
