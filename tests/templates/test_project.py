"""How playbooks, inventories and group_vars lie together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.templates.rendering import ROOT, rendered

PLAYBOOKS = ROOT / "playbooks"
# Pieces of the others, which nobody runs by themselves.
PIECES = {"connect.yml", "validate.yml"}
INVENTORIES = ["production", "staging", "demo"]
# How Ansible reaches the demo, and what the bench makes it of.
DEMO_EXTRAS = {"ansible.yml", "bench.yml"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def first_play(playbook: Path) -> dict[str, Any]:
    """Follow imports to the first play of a playbook."""
    first: dict[str, Any] = read(playbook)[0]
    imported = first.get("ansible.builtin.import_playbook")
    return first_play(playbook.parent / imported) if imported else first


@pytest.mark.parametrize(
    "playbook",
    [one for one in sorted(PLAYBOOKS.glob("*.yml")) if one.name not in PIECES],
    ids=lambda playbook: playbook.name,
)
def test_every_playbook_begins_with_the_validation_of_all_roles(playbook: Path) -> None:
    play = first_play(playbook)
    assert play["hosts"] == "docker_hosts"
    (task,) = play["tasks"]
    roles = {one.name for one in (ROOT / "roles").iterdir() if one.is_dir()}
    assert set(task["slipway.stack.validate"]["roles"]) == roles


def test_pieces_are_imported_by_a_playbook() -> None:
    imported = {
        Path(play["ansible.builtin.import_playbook"]).name
        for playbook in PLAYBOOKS.glob("*.yml")
        for play in read(playbook)
        if "ansible.builtin.import_playbook" in play
    }
    assert imported >= PIECES


def test_group_vars_lie_beside_both_entry_points_and_are_the_same() -> None:
    link = PLAYBOOKS / "group_vars"
    assert link.is_symlink()
    assert link.readlink() == Path("../group_vars")


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_both_entry_points_see_the_same_variables(environment: str) -> None:
    here, there = rendered(environment).variables.values()
    assert here == there
    assert {"host_directory", "stack_name", "stack_services", "network_door_subnet"} <= set(here)


def test_the_projects_group_vars_hold_for_all_hosts_alone() -> None:
    assert [one.name for one in (ROOT / "group_vars").iterdir()] == ["all"]


@pytest.mark.parametrize("name", INVENTORIES)
def test_an_inventory_speaks_of_docker_hosts_alone(name: str) -> None:
    inventory = ROOT / "inventories" / name
    assert {one.name for one in inventory.iterdir()} == {"hosts.yml", "group_vars"}
    assert [one.name for one in (inventory / "group_vars").iterdir()] == ["docker_hosts"]
    assert list(read(inventory / "hosts.yml")) == ["docker_hosts"]


def shape(name: str) -> dict[str, set[str]]:
    """Return the variables that an inventory sets, by file."""
    directory = ROOT / "inventories" / name / "group_vars" / "docker_hosts"
    extras = DEMO_EXTRAS if name == "demo" else set()
    return {path.name: set(read(path)) for path in directory.iterdir() if path.name not in extras}


@pytest.mark.parametrize("name", INVENTORIES[1:])
def test_inventories_have_one_shape(name: str) -> None:
    here, there = shape("production"), shape(name)
    # A vault holds what its environment's other files ask for.
    assert {file: keys for file, keys in there.items() if file != "vault.yml"} == {
        file: keys for file, keys in here.items() if file != "vault.yml"
    }
    assert here["vault.yml"] <= there["vault.yml"]


@pytest.mark.parametrize("name", INVENTORIES[:2])
def test_shipped_vaults_hold_nothing_but_the_placeholder(name: str) -> None:
    vault = read(ROOT / "inventories" / name / "group_vars" / "docker_hosts" / "vault.yml")
    assert set(vault.values()) == {"change-me"}
    assert all(key.startswith("vault_") for key in vault)


def test_a_variable_is_set_for_all_or_for_each_environment_but_not_for_both() -> None:
    shared = {key for path in (ROOT / "group_vars/all").glob("*.yml") for key in read(path)}
    for name in INVENTORIES[:2]:
        assert not shared & set().union(*shape(name).values())
