"""A deploy that is only checked says what it would do, and does nothing."""

from __future__ import annotations

import re
from typing import Any

from bench.site import Site

STACK = "/srv/slipway/stacks/production"
ROUTES = "/srv/slipway/traefik/dynamic/production.yml"
LISTING = f"find {STACK} {ROUTES} -type f -printf '%p %s %m %U %T@\\n' | sort"


def picture(site: Site, server: Any) -> tuple[dict[str, str], str, set[str]]:
    """Return when each container started, the host's files, and its images."""
    images = site.run("docker", "images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}")
    return server.started(), site.run("sh", "-c", LISTING), set(images.splitlines())


def test_check_of_a_version_that_is_not_on_the_host_prints_the_plan_and_changes_nothing(
    site: Site, server: Any
) -> None:
    before = picture(site, server)
    run = site.deploy("--check", "--diff", stack_version="roll-2")
    assert run.ok, run.output
    assert re.search(r"roll-1\) → \S+ \(version roll-2\)", run.output), run.output
    for service in ("backend", "frontend"):
        assert re.search(rf"image +{service}: [0-9a-f]{{12}} → [0-9a-f]{{12}}", run.output)
    assert re.search(r"runs +migrate, collectstatic before the switch", run.output)
    assert re.search(r"starts +production-\S+-backend-1", run.output)
    assert re.search(r"stops +production-\S+-backend-1, then removes it", run.output)
    assert "docker pull" in run.output, "it says why it does not know the migrations"
    assert picture(site, server) == before


def test_check_of_a_version_that_is_on_the_host_names_its_pending_migrations(
    site: Site, server: Any
) -> None:
    site.run("docker", "pull", "--quiet", "registry.slipway.test:5000/example/backend:roll-2")
    before = picture(site, server)
    run = site.deploy("--check", "--diff", stack_version="roll-2")
    assert run.ok, run.output
    assert "notes.0005_next" in run.output, run.output
    assert picture(site, server) == before


def test_check_of_a_setting_shows_its_difference(site: Site, server: Any) -> None:
    before = picture(site, server)
    run = site.deploy("--check", "--diff", stack_sizes={"backend": {"memory": "300m"}})
    assert run.ok, run.output
    assert re.search(r"image +backend: [0-9a-f]{12}, unchanged", run.output), run.output
    assert re.search(r"^\+ +mem_limit: 300m", run.output, re.MULTILINE)
    assert picture(site, server) == before
