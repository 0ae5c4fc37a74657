"""The real action plugin, run by ansible-playbook from a small project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
GOOD: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("good.yml").read_text())
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

PLAY = """
- name: Validate
  hosts: docker_hosts
  gather_facts: false
  tasks:
    - name: Refuse bad values
      slipway.stack.validate:
        roles: [host, docker, network, edge, traefik, data, stack, preview]
      register: result
    - name: Show what was checked
      ansible.builtin.debug:
        msg: "variables={{ result.variables }} changed={{ result.changed }}"
    - name: Change something
      ansible.builtin.file:
        path: "{{ marker }}"
        state: touch
        mode: "0644"
      delegate_to: localhost
"""


@dataclass
class Outcome:
    code: int
    output: str
    touched: bool


def ansible_environment() -> dict[str, str]:
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    inherited = {name: value for name, value in os.environ.items() if "ANSIBLE" not in name}
    return inherited | settings


def play(folder: Path, values: dict[str, Any], *arguments: str, extra: str = "") -> Outcome:
    """Run the play through an import, against a host that does not exist."""
    group = folder / "inventory" / "group_vars" / "docker_hosts"
    group.mkdir(parents=True)
    hosts = {"docker_hosts": {"hosts": {"nowhere": {"ansible_host": "192.0.2.1"}}}}
    (folder / "inventory" / "hosts.yml").write_text(yaml.safe_dump(hosts))
    (group / "values.yml").write_text(yaml.safe_dump(values))
    (group / "more.yml").write_text(f"---\n{extra}")
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "deploy.yml").write_text(PLAY)
    (folder / "deploy.yml").write_text("- import_playbook: playbooks/deploy.yml\n")
    marker = folder / "marker"
    done = subprocess.run(
        [PLAYBOOK, "-i", "inventory", "deploy.yml", "-e", f"marker={marker}", *arguments],
        cwd=folder,
        env=ansible_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Outcome(done.returncode, done.stdout + done.stderr, marker.exists())


def sound() -> dict[str, Any]:
    """Give the good values without the one that a playbook would render."""
    return {**GOOD, "stack_secrets": {**GOOD["stack_secrets"], "django_secret_key": "hunter2"}}


def test_good_values_pass(tmp_path: Path) -> None:
    values = sound()
    # The role's default is what this template finds.
    del values["host_directory"]
    values["traefik_options"] = {"log": {"filePath": "{{ host_directory }}/traefik.log"}}
    # The command line gives strings, and a version is one.
    outcome = play(tmp_path, values, "-e", "stack_version=2", "-e", '{"stack_drain_timeout": 20}')
    assert outcome.code == 0, outcome.output
    assert outcome.touched
    assert f"variables={len(GOOD)} changed=False" in outcome.output


def test_bad_values_are_refused_before_anything_changes(tmp_path: Path) -> None:
    values = sound()
    values |= {
        "stack_domian": "www.example.com",
        "stack_subnet": None,
        "traefik_cpus": "1",
        "stack_registry": "{{ registry }}",
        "stack_environment": {"BOTH": "{{ host_directory }} {{ lost }}"},
        "indirect": "{{ vault_indirect }}",
        "data_postgres_password": "{{ indirect }}",
    }
    del values["stack_domain"]
    extra = """
stack_secrets:
  django_secret_key: "{{ vault_django_secret_key }}"
  broken: "{{ 'hunter2' | no_such_filter }}"
  sealed: !vault |
    $ANSIBLE_VAULT;1.1;AES256
    3132
traefik_options:
  unrendered: !unsafe "{{ env }}"
"""
    del values["stack_secrets"], values["traefik_options"]
    outcome = play(tmp_path, values, "-e", "stack_keep_releases=3", extra=extra)
    assert outcome.code == 2
    assert not outcome.touched
    for line in (
        "stack_domian: is unknown. Did you mean stack_domain?",
        "stack_domain: is missing.",
        "stack_subnet: is null, it has no value.",
        'traefik_cpus: must be a number, not a string ("1").',
        "stack_registry: refers to registry, which is not defined. Define registry.",
        "stack_environment.BOTH: refers to lost, which is not defined.",
        "data_postgres_password: refers to vault_indirect, which is not defined.",
        "stack_secrets.django_secret_key: refers to vault_django_secret_key",
        "stack_secrets.broken: cannot be rendered.",
        "stack_secrets.sealed: cannot be decrypted.",
        "traefik_options.unrendered: holds {{ or {%.",
        'stack_keep_releases: must be a whole number, not a string ("3").',
    ):
        assert f"  - {line}" in outcome.output, outcome.output
    assert "12 problems" in outcome.output
    assert "hunter2" not in outcome.output


def test_check_mode_refuses_as_well(tmp_path: Path) -> None:
    outcome = play(tmp_path, {**sound(), "stack_name": ""}, "--check")
    assert outcome.code == 2
    assert "stack_name: is empty." in outcome.output


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_shipped_inventories_lack_nothing_but_their_placeholders(environment: str) -> None:
    done = subprocess.run(
        [PLAYBOOK, "-i", f"inventories/{environment}", "playbooks/validate.yml"],
        cwd=REPOSITORY,
        env=ansible_environment() | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 2
    problems = {line for line in output.splitlines() if line.startswith("  - ")}
    assert problems, output
    assert all(" still is the placeholder change-me. " in problem for problem in problems), output
