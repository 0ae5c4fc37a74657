"""What testssl.sh and Mozilla's Observatory say of the site."""

from __future__ import annotations

from typing import Any

import pytest
from bench.auditor import Auditor, Tls
from bench.site import Site


@pytest.fixture(scope="module")
def tls(auditor: Auditor, site: Site) -> Tls:
    """Have testssl.sh look at the site once."""
    return auditor.tls(site.domain)


@pytest.fixture(scope="module")
def observed(auditor: Auditor, site: Site) -> dict[str, Any]:
    """Have the Observatory look at it once."""
    return auditor.observatory(site.domain)


def test_tls_gets_the_best_grade(tls: Tls) -> None:
    assert tls.grade == "A+", tls.findings


def test_tls_has_no_finding_but_those_that_are_waived(tls: Tls, waivers: dict[str, Any]) -> None:
    waived = set(waivers["tls"]["private_authority"]) | set(waivers["tls"]["others"])
    assert {found.check for found in tls.findings} == waived, tls.findings


def test_observatory_gives_no_less_than_130(observed: dict[str, Any]) -> None:
    assert observed["scan"]["score"] >= 130, observed["tests"]
    assert observed["scan"]["grade"] == "A+"


def test_observatory_finds_nothing_that_fails(observed: dict[str, Any]) -> None:
    assert {name for name, test in observed["tests"].items() if not test["pass"]} == set()
