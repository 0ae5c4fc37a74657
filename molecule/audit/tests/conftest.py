"""The audited host, who audits it from beside, and what is waived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from bench import auditor as auditors
from bench.auditor import Auditor
from bench.playbooks import Environment
from bench.site import Site

SITE: Final = Site(
    Environment(("inventories/production", "molecule/inventory/audit")),
    stack="production",
    domain="yourdomain.com",
    port=443,
    container="slipway-bench-audit",
)


@pytest.fixture(scope="session")
def site() -> Site:
    """Return the stack that is audited."""
    return SITE


@pytest.fixture(scope="session")
def auditor() -> Iterator[Auditor]:
    """Return who audits it from beside."""
    with auditors.beside(SITE.container, SITE.domain) as found:
        yield found


@pytest.fixture(scope="session")
def waivers() -> dict[str, Any]:
    """Return what is left as it is, by auditor, each with its reason."""
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("waivers.yml").read_text())
    return found
