"""What the tests of all scenarios share: the test host's engine, and load from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from bench.engine import docker
from bench.playbooks import Environment


@dataclass(frozen=True)
class Server:
    """A test host by the name of its container: what is true on it, without Ansible."""

    name: str

    def run(self, *command: str) -> str:
        """Run a command as root and return what it wrote."""
        return docker("exec", self.name, *command)

    def containers(self, *, all_: bool = True) -> dict[str, dict[str, Any]]:
        """Inspect the containers of the host's own engine, by name."""
        names = self.run("docker", "ps", "--quiet", *(["--all"] if all_ else [])).split()
        found = json.loads(self.run("docker", "inspect", *names)) if names else []
        return {container["Name"].lstrip("/"): container for container in found}

    def started(self) -> dict[str, str]:
        """Return when each running container started."""
        return {
            name: container["State"]["StartedAt"]
            for name, container in self.containers(all_=False).items()
        }


@pytest.fixture(scope="session")
def production() -> Environment:
    """Take the literal command's inventory, with one more for the test host."""
    return Environment(("inventories/production", "molecule/inventory/production"))


@pytest.fixture(scope="session")
def staging() -> Environment:
    """Take staging, on the same test host as production."""
    return Environment(("inventories/staging", "molecule/inventory/staging"))


@pytest.fixture(scope="session")
def server_named() -> Callable[[str], Server]:
    """Make a server from its container's name."""
    return Server
