"""Secrets turn up nowhere but in the files of their readers: no output, process, log or layer.

`Watched` in molecule/conftest.py looks at the output of every playbook with -vvv --diff, and at the
arguments of all processes while it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench.canaries import files_with, inventory, planted, shapes, shown
from bench.names import ROOT
from bench.playbooks import Environment

PLAYBOOKS = sorted(
    {"deploy.yml", *(f"playbooks/{path.name}" for path in ROOT.glob("playbooks/*.yml"))}
)
# What a run of a playbook needs to be told; each of them a run.
TOLD: dict[str, list[dict[str, Any]]] = {
    "playbooks/freeze.yml": [{"freeze_reason": "moving house"}],
    "playbooks/maintenance.yml": [{"state": "on"}, {"state": "off"}],
    # Production has no previews; what theirs show, the scenario `preview` looks at.
    "playbooks/preview.yml": [{"branch": "none", "state": "absent"}],
}
# Which packages there are today is not this test's affair, and the stack is looked at further.
ONLY_CHECKED = {"playbooks/remove.yml", "playbooks/upgrade.yml"}
# What is frozen is not rotated, and what was deployed with other variables is gone back from.
FIRST = ["playbooks/freeze.yml", "playbooks/unfreeze.yml", "playbooks/rollback.yml"]
THEN = "playbooks/rotate.yml"

NEW = {
    "vault_django_secret_key": 'the new key of-production, "quoted" and long enough for Django\n'
    "of-production-and-known-to-everybody-who-reads-the-tests\n",
    "vault_postgres_login": "app_b",
    "vault_postgres_password": "the next password, with $HOME, `id`, {x} and \u00fc in it",
    "vault_staff_token": "of-the-next-staff-and-known-to-everybody",
    "vault_registry_password": "the next one of production's registry",
}
EVERYWHERE = [
    *("/etc", "/home", "/opt", "/root", "/run", "/srv", "/usr/local", "/var"),
    "/tmp",  # noqa: S108 - the host's
]
# For their readers alone: a release's secrets, Postgres' own, those who may enter, the page's
# routes, which name the staff's token, and the engine's logins.
READERS = ("/secrets/", ".users", ".maintenance.yml", "/root/.docker/config.json")


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return production with other secrets."""
    folder = inventory(tmp_path_factory.mktemp("canaries") / "next", "production-1", **NEW)
    here = ("inventories/production", "molecule/inventory/production", folder)
    return Environment(here)


@pytest.fixture(scope="module")
def watched(production: Environment, rotated: Environment) -> Environment:
    """Return the same, watched."""
    return type(production)(rotated.inventories)


def order(name: str) -> tuple[int, str]:
    known = [*FIRST, THEN]
    return (known.index(name) if name in known else len(known), name)


def test_no_playbook_shows_a_secret(production: Environment, watched: Any) -> None:
    """Those that no test before has run are run here, with the next secrets from the rotation on.

    So that a playbook that comes later cannot be forgotten.
    """
    for name in sorted(set(PLAYBOOKS) - watched.ran, key=order):
        environment = production if name in FIRST else watched
        options = ["--check"] if name in ONLY_CHECKED else []
        for told in TOLD.get(name, [{}]):
            run = environment.playbook(name, *options, **told)
            assert run.ok, run.output
    assert watched.ran >= set(PLAYBOOKS)


def test_a_rotation_that_is_done_changes_nothing_and_has_closed_the_old_login(
    watched: Any, server: Any
) -> None:
    run = watched.playbook("playbooks/rotate.yml")
    assert run.ok, run.output
    assert run.changed == 0, run.output
    query = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY rolname"
    told = server.run(
        *("docker", "exec", "production-postgres"),
        *("psql", "--username", "postgres", "--tuples-only", "--no-align", "--command", query),
    )
    assert told.split() == ["app_b", "postgres"]


def test_no_secret_is_in_what_the_engine_tells_of_containers_and_images(
    server: Any, rotated: Environment
) -> None:
    secrets = planted(vault(rotated))
    words = "docker inspect $(docker ps --all --quiet); docker image inspect $(docker images -q)"
    assert not shown(server.run("sh", "-c", words), secrets)
    history = "for one in $(docker images -q | sort -u); do docker history --no-trunc $one; done"
    assert not shown(server.run("sh", "-c", history), secrets)


def test_no_secret_is_in_the_journal_or_in_a_unit(server: Any, rotated: Environment) -> None:
    secrets = planted(vault(rotated))
    assert not shown(server.run("journalctl", "--no-pager", "--output=export"), secrets)
    units = "systemctl cat '*'; systemctl show '*'"
    assert not shown(server.run("sh", "-c", units), secrets)


def test_files_that_hold_a_secret_are_those_of_its_readers_alone(
    server: Any, rotated: Environment
) -> None:
    """Image layers, containers' own files and logs, and temporary files among all others."""
    texts = {line for one in planted(vault(rotated)).values() for line in parts(one)}
    found = files_with(server.name, EVERYWHERE, texts)
    assert found
    assert not [path for path in found if not any(part in path for part in READERS)]


def test_a_secret_that_was_rotated_is_nowhere_on_the_host(server: Any) -> None:
    """In no release that is kept, so that a rollback cannot bring it back either."""
    revoked = planted()["vault_postgres_password of production"]
    assert files_with(server.name, EVERYWHERE, shapes(revoked)) == []


def parts(secret: str) -> set[str]:
    """Return what of a secret a line can show."""
    return {shape for line in secret.splitlines() for shape in shapes(line)}


def vault(environment: Environment) -> Path:
    return Path(environment.inventories[-1]) / "group_vars/docker_hosts/vault.yml"
