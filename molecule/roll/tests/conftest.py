"""The site of this scenario, and how much of everything the tests do to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import pytest
import yaml
from bench.names import ROOT
from bench.playbooks import Environment
from bench.site import Site

SITE: Final = Site(
    Environment(("inventories/production", "molecule/inventory/roll")),
    stack="production",
    domain="yourdomain.com",
    port=8521,
    container="slipway-bench-roll",
)


@pytest.fixture(scope="session")
def site() -> Site:
    """Return the stack that all tests here deploy."""
    return SITE


@pytest.fixture(scope="session")
def rounds() -> int:
    """Say how often to repeat what depends on luck; above 1, everything is done in full."""
    return int(os.environ.get("BENCH_ROUNDS", "1"))


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return how to print a figure for whoever runs the tests."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return say


@pytest.fixture(scope="session")
def impatient() -> dict[str, Any]:
    """Return the shipped services, with ten seconds for a start."""
    shipped = yaml.safe_load((ROOT / "group_vars/all/stack.yml").read_text())
    services: dict[str, Any] = shipped["stack_services"]
    for service in services.values():
        service.setdefault("health", {})["start_timeout"] = 10
    return services
