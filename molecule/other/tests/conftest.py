"""The test host of this scenario, its stack, and their visitors."""

from __future__ import annotations

from typing import Final

import pytest
from bench.playbooks import Environment
from bench.site import Site
from bench.visitor import Visitor

SITE: Final = Site(
    Environment(("molecule/inventory/other",)),
    stack="other",
    domain="counter.example.com",
    port=8511,
    container="slipway-bench-other",
)


@pytest.fixture(scope="session")
def site() -> Site:
    """Return the stack of this application."""
    return SITE


@pytest.fixture(params=[SITE.domain, "api.example.com"])
def visitor(request: pytest.FixtureRequest) -> Visitor:
    """Return a visitor of either of the service's domains."""
    return Visitor(request.param, SITE.port)
