from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import lock


@pytest.fixture(autouse=True)
def host_lock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the machine's own lock out of the tests: it is root's."""
    path = tmp_path_factory.mktemp("run") / "slipway" / "host.lock"
    monkeypatch.setattr(lock, "HOST_LOCK", path)
    return path
