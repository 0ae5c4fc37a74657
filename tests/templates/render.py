"""Render a stack's files from a shipped inventory, with the variables that a real run would see.

    python tests/templates/render.py production

A program of its own: Ansible's way of finding collections does not go together with imports of the
same collections as plain Python. It prints one JSON object, see `rendering.Rendered`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).resolve().parents[2]
# Of the run and not of the inventory.
OF_THE_RUN = {"playbook_dir"}


class Run:
    """The last play of a playbook, for the one host of an inventory."""

    def __init__(self, environment: str, playbook: str) -> None:
        """Load what `ansible-playbook <playbook> -i inventories/<environment>` would."""
        self.loader = DataLoader()
        inventory = InventoryManager(
            loader=self.loader, sources=[str(ROOT / "inventories" / environment)]
        )
        manager = VariableManager(loader=self.loader, inventory=inventory)
        self.loader.set_basedir(str((ROOT / playbook).parent))
        loaded = Playbook.load(str(ROOT / playbook), variable_manager=manager, loader=self.loader)
        play = loaded.get_plays()[-1]
        # As ansible-playbook does for each play: group_vars lie beside the file that it is in.
        self.loader.set_basedir(play._included_path or loaded._basedir)  # noqa: SLF001
        (host,) = inventory.get_hosts("docker_hosts")
        self.variables: dict[str, Any] = manager.get_vars(play=play, host=host)
        self.roles = {role.get_name(): role.get_role_path() for role in play.roles}

    def value(self, name: str) -> Any:
        """Return a variable, rendered."""
        templar = Templar(loader=self.loader, variables=self.variables)
        return templar.template(self.variables[name])

    def file(self, role: str, template: str, **more: Any) -> str:
        """Render a role's template by the lookup that the role itself uses."""
        path = self.roles[role]
        variables = self.variables | {"ansible_search_path": [path]} | more
        lookup = "{{ lookup('ansible.builtin.template', '" + template + "') }}"
        templar = Templar(loader=self.loader, variables=variables)
        return str(templar.template(trust_as_template(lookup)))


def manifest(model: dict[str, Any], release_id: str, version: str) -> dict[str, Any]:
    """Return what `release_plan` would, with digests that are made up."""
    return {
        "id": release_id,
        "bank": 1,
        "version": version,
        "images": {
            name: f"{service['image']}@sha256:{name.encode().hex().ljust(64, '0')}"
            for name, service in model["services"].items()
        },
    }


def main() -> None:
    """Render what the release, the data project and the host's rules of one environment are."""
    environment, options = sys.argv[1], json.loads(sys.argv[2])
    context.CLIARGS = ImmutableDict(extra_vars=(json.dumps(options["extra_vars"]),))
    init_plugin_loader()
    deploys = {
        playbook: Run(environment, playbook) for playbook in ("playbooks/deploy.yml", "deploy.yml")
    }
    deploy = deploys["playbooks/deploy.yml"]
    provision = Run(environment, "playbooks/provision.yml")
    model = deploy.value("__stack_model")
    plan = {"manifest": manifest(model, options["release"], options["version"])}
    rendered = {
        "model": model,
        "compose": deploy.file("stack", "compose.yml.j2", __stack_plan=plan),
        "routes": deploy.file("stack", "routes.yml.j2", __stack_plan=plan),
        "data": provision.file("data", "compose.yml.j2"),
        "door": provision.file("network", "door.nft.j2", **options["host"]),
        "filter": provision.file(
            "network", "filter.nft.j2", __network_sshd={"stdout": "port 22\nport 2222\n"}
        ),
        "static": provision.file("traefik", "traefik.yml.j2", **options["host"]),
        "api": provision.file("traefik", "api.yml.j2", **options["host"]),
        "certificate": provision.file("traefik", "certificate.yml.j2", **options["host"]),
        "secrets": deploy.value("__stack_secrets"),
        "variables": {
            playbook: {
                name: value for name, value in run.variables.items() if name not in OF_THE_RUN
            }
            for playbook, run in deploys.items()
        },
    }
    print(json.dumps(rendered, default=str))


if __name__ == "__main__":
    main()
