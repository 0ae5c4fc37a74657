"""The test host of this scenario, and its visitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench.visitor import Visitor

HTTPS_PORT = 8511


@pytest.fixture(scope="session")
def server(server_named: Callable[[str], Any]) -> Any:
    """Return the host of this application."""
    return server_named("slipway-bench-other")


@pytest.fixture(params=["counter.example.com", "api.example.com"])
def visitor(request: pytest.FixtureRequest) -> Visitor:
    """Return a visitor of either of the service's domains."""
    return Visitor(request.param, HTTPS_PORT)
