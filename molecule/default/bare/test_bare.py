"""A server that was never touched: what --check and a hasty deploy say to it."""

from __future__ import annotations

from bench.engine import docker
from bench.playbooks import Environment

SERVER = "slipway-bench-server"


def test_checking_provision_succeeds_and_changes_nothing(production: Environment) -> None:
    run = production.playbook("playbooks/provision.yml", "--check")
    assert run.ok, run.output
    assert run.changed > 0, "it says what it would change"
    for path in ("/srv/slipway", "/etc/docker", "/usr/bin/dockerd", "/home/deploy"):
        answer = docker("exec", SERVER, "find", "/", "-maxdepth", "4", "-path", path)
        assert answer == "", f"{path} was made in a check"


def test_deploy_is_refused_and_names_the_playbook_that_comes_first(
    production: Environment,
) -> None:
    run = production.playbook("deploy.yml", stack_version="1")
    assert not run.ok
    assert run.changed == 0
    assert "playbooks/provision.yml" in run.output
