"""Staging beside production on one host: each minds its own business."""

from __future__ import annotations

from typing import Any

from bench.playbooks import Environment
from bench.visitor import Visitor

PASSWORD = ("team", "the password of staging")
PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    print("reached")
except OSError:
    print("no way")
"""


def test_deploy_to_a_host_that_was_not_provisioned_for_the_stack_names_the_playbook(
    staging: Environment,
) -> None:
    run = staging.playbook("deploy.yml", stack_version="1")
    assert not run.ok
    assert run.changed == 0
    assert "playbooks/provision.yml" in run.output


def test_staging_moves_in_and_production_does_not_notice(
    staging: Environment, server: Any, visitor: Visitor, staging_visitor: Visitor
) -> None:
    before = server.started()
    run = staging.playbook("playbooks/site.yml", stack_version="1")
    assert run.ok, run.output
    assert {name: server.started()[name] for name in before} == before
    assert visitor.get("/version").ok
    answer = staging_visitor.get("/version", auth=PASSWORD)
    assert answer.json()["version"] == "1"


def test_staging_asks_for_a_password_and_stays_out_of_search_engines(
    visitor: Visitor, staging_visitor: Visitor
) -> None:
    assert staging_visitor.get("/").status_code == 401
    answer = staging_visitor.get("/", auth=PASSWORD)
    assert answer.status_code == 200
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "X-Robots-Tag" not in visitor.get("/").headers


def test_each_environment_has_its_own_data(visitor: Visitor, staging_visitor: Visitor) -> None:
    staging_visitor.session.auth = PASSWORD
    staging_visitor.get("/api/boards/")
    staging_visitor.write_note("only in staging")
    assert "only in staging" in staging_visitor.notes()
    assert "only in staging" not in visitor.notes()


def test_a_stack_cannot_reach_the_other_s_containers(server: Any) -> None:
    containers = server.containers(all_=False)
    mine = next(name for name in containers if name.startswith("staging-2") and "backend" in name)

    def reaches(address: str, port: str) -> bool:
        said: str = server.run("docker", "exec", mine, "python", "-c", PROBE, address, port)
        answer = said.strip()
        assert answer in {"reached", "no way"}
        return answer == "reached"

    own = containers["staging-postgres"]["NetworkSettings"]["Networks"]["staging-data"]
    assert reaches(own["IPAddress"], "5432"), "the probe itself works"
    targets = {
        (network["IPAddress"], "5432" if "postgres" in name else "8000")
        for name, container in containers.items()
        if name.startswith("production-") and "frontend" not in name
        for network in container["NetworkSettings"]["Networks"].values()
    }
    assert len(targets) > 2
    for address, port in targets:
        assert not reaches(address, port), f"staging reaches {address}:{port}"
