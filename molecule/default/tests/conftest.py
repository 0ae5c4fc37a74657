"""The test host of this scenario, and its visitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench.visitor import Visitor

HTTPS_PORT = 8501


@pytest.fixture(scope="session")
def server(server_named: Callable[[str], Any]) -> Any:
    """Return the one host that production and staging share here."""
    return server_named("slipway-bench-server")


@pytest.fixture
def visitor() -> Visitor:
    """Return a visitor of production."""
    return Visitor("yourdomain.com", HTTPS_PORT)


@pytest.fixture
def staging_visitor() -> Visitor:
    """Return a visitor of staging, who does not know the password yet."""
    return Visitor("staging.yourdomain.com", HTTPS_PORT)
