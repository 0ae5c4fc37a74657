"""The firewall that Ubuntu brings, beside Slipway's filter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.site import Site

# What the filter's tasks build on begins here.
AT_ENGINE = "--start-at-task=docker : preflight | Ask for the distribution"


@pytest.fixture(autouse=True)
def ufw(site: Site) -> None:
    """Have it, off as it comes, and as guides tell to let SSH in."""
    site.run("apt-get", "install", "-qq", "ufw")
    site.run("ufw", "allow", "22/tcp")


@pytest.fixture
def active(site: Site) -> Iterator[None]:
    """Turn it on, and off again."""
    site.run("ufw", "--force", "enable")
    yield
    site.run("ufw", "disable")


@pytest.mark.usefixtures("active")
def test_an_active_ufw_is_refused_with_the_way_out(site: Site) -> None:
    refused = site.environment.playbook("playbooks/provision.yml", AT_ENGINE)
    assert not refused.ok
    assert "ufw is active on this host" in refused.output
    assert "ufw disable" in refused.output


def test_a_ufw_that_is_off_is_nobody_s_business(site: Site) -> None:
    assert site.run("ufw", "status").strip() == "Status: inactive"
    assert site.environment.playbook("playbooks/provision.yml", AT_ENGINE).ok
