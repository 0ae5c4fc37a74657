"""The two stacks of this scenario, their host and their visitors."""

from __future__ import annotations

from typing import Final

import pytest
from bench.playbooks import Environment
from bench.site import Site

HTTPS_PORT: Final = 8541
HTTP_PORT: Final = 8542
HOST: Final = "slipway-bench-doors"
VERSION: Final = "doors"


@pytest.fixture(scope="session")
def site() -> Site:
    """Return production."""
    inventories = ("inventories/production", "molecule/inventory/doors")
    return Site(Environment(inventories), "production", "yourdomain.com", HTTPS_PORT, HOST)


@pytest.fixture(scope="session")
def staging() -> Site:
    """Return staging, on the same host."""
    inventories = ("inventories/staging", "molecule/inventory/doors-staging")
    return Site(Environment(inventories), "staging", "staging.yourdomain.com", HTTPS_PORT, HOST)
