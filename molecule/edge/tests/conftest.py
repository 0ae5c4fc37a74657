"""What the tests of Traefik's slots share."""

from __future__ import annotations

import pytest
from bench.edge import SITE, Edge


@pytest.fixture(scope="session")
def edge() -> Edge:
    """Return Traefik as the tests change it."""
    return Edge(SITE)
