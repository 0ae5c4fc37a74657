"""The site of this scenario, and how much of everything the tests do to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import yaml
from bench.browser import browser
from bench.names import ROOT
from bench.playbooks import Environment
from bench.site import Site
from playwright.sync_api import ConsoleMessage, Page, Response

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "1"))
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


@dataclass
class OldPage:
    """A page that a visitor left open: the release it came from, what it loaded and met since."""

    page: Page
    serves: dict[str, str]
    loaded: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def answered(self, response: Response) -> None:
        """Note what the page loaded."""
        self.loaded.append(response.url)
        if not response.ok:
            self.problems.append(f"{response.status} {response.url}")

    def told(self, message: ConsoleMessage) -> None:
        """Note what the browser complains of."""
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)


@pytest.fixture(scope="session")
def old_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldPage]:
    """Open a page, and leave it open while the tests deploy."""
    with browser(tmp_path_factory.mktemp("browser"), SITE.domain) as chromium:
        page = chromium.new_page()
        old = OldPage(page, SITE.serves())
        page.on("response", old.answered)
        page.on("console", old.told)
        page.on("pageerror", lambda error: old.problems.append(str(error)))
        page.on("requestfailed", lambda request: old.problems.append(f"failed: {request.url}"))
        page.goto(SITE.address)
        page.get_by_role("button", name="Activity").wait_for()
        page.get_by_text(old.serves["release"]).wait_for()
        yield old


@pytest.fixture(scope="session")
def rounds() -> int:
    """Say how often to repeat what depends on luck; above 1, everything is done in full."""
    return ROUNDS


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of what belongs to one kind of run only."""
    config.addinivalue_line("markers", "in_short: a sample of what `make faults` does in full")
    config.addinivalue_line("markers", "in_full: what takes hours, for `make faults`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose what belongs to this kind of run."""
    others = "in_short" if ROUNDS > 1 else "in_full"
    left_out = [item for item in items if item.get_closest_marker(others)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def impatient() -> dict[str, Any]:
    """Return the shipped services, with ten seconds for a start."""
    shipped = yaml.safe_load((ROOT / "group_vars/all/stack.yml").read_text())
    services: dict[str, Any] = shipped["stack_services"]
    for service in services.values():
        service.setdefault("health", {})["start_timeout"] = 10
    return services
