"""What the tests of Traefik's slots share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bench.edge import SITE, Edge


@pytest.fixture(scope="session")
def edge() -> Edge:
    """Return Traefik as the tests change it."""
    return Edge(SITE)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return how to print a figure for whoever runs the tests."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return say
