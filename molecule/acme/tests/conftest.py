"""The server and its CA."""

from __future__ import annotations

import pytest
from bench.acme import Authority, Server


@pytest.fixture(scope="session")
def server() -> Server:
    """Return the test host."""
    return Server()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Return the CA."""
    return Authority()
