"""Doing again what is done already changes nothing, and --check changes nothing either."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from bench.engine import docker
from bench.playbooks import Environment, Run

# What a look at a host, or time, leaves on it: logs, Ansible's own scratch, the state of services.
NOISE = re.compile(
    r"^[AC] /(root(/\.ansible.*|/\.docker.*)?|home(/deploy(/\.ansible.*|/\.ssh)?)?|run.*|tmp.*"
    r"|var|var/(log|tmp|cache)(/.*)?|var/lib(/(systemd|sudo|apt|dpkg|logrotate|dhcp)(/.*)?)?"
    r"|srv|srv/slipway|srv/slipway/traefik|etc)$"
)


def picture(server: Any) -> tuple[dict[str, str], set[str]]:
    """Return when each container started, and which files of the host differ from its image's."""
    files = {line for line in docker("diff", server.name).splitlines() if not NOISE.match(line)}
    return server.started(), files


@pytest.fixture
def unchanged(server: Any) -> Callable[[Run], None]:
    """Assert that a run ended well and left everything exactly as it was."""
    before = picture(server)

    def check(run: Run) -> None:
        assert run.ok, run.output
        assert run.changed == 0, run.output
        assert picture(server) == before

    return check


def test_provisioning_either_environment_again_changes_nothing(
    production: Environment, staging: Environment, unchanged: Callable[[Run], None]
) -> None:
    for environment in (staging, production):
        unchanged(environment.playbook("playbooks/provision.yml"))


def test_deploying_what_serves_changes_nothing(
    production: Environment, unchanged: Callable[[Run], None]
) -> None:
    unchanged(production.playbook("deploy.yml", stack_version="1"))


def test_deploying_without_a_version_keeps_the_one_that_serves(
    production: Environment, unchanged: Callable[[Run], None]
) -> None:
    unchanged(production.playbook("deploy.yml"))


def test_checking_provision_and_deploy_changes_nothing(
    production: Environment, unchanged: Callable[[Run], None]
) -> None:
    unchanged(production.playbook("playbooks/site.yml", "--check", stack_version="1"))


def test_checking_a_change_shows_it_and_leaves_the_host_alone(
    server: Any, production: Environment
) -> None:
    before = picture(server)
    sizes = {"backend": {"replicas": 1, "memory": "300m"}}
    run = production.playbook("deploy.yml", "--check", stack_sizes=sizes)
    assert run.ok, run.output
    assert run.changed == 1
    assert re.search(r"^\+ +mem_limit: 300m", run.output, re.MULTILINE)
    assert picture(server) == before
