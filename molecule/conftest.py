"""What the tests of all scenarios share: the test host's engine, and load from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bench.canaries import Processes, planted, shown
from bench.engine import docker
from bench.playbooks import Environment, Run
from bench.site import Site


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


class Watched(Environment):
    """Runs playbooks at a high verbosity, with differences, and lets no secret pass unseen."""

    ran: ClassVar[set[str]] = set()

    def playbook(self, name: str, *options: str, **variables: Any) -> Run:
        """Run a playbook; fail when an operator, or a look at the processes, saw a secret."""
        # A test's own inventory lies outside.
        own = [Path(one) for one in self.inventories if Path(one).is_absolute()]
        secrets = planted(*(one / "group_vars/docker_hosts/vault.yml" for one in own))
        with Processes(secrets) as processes:
            run = super().playbook(name, "-vvv", "--diff", *options, **variables)
        assert not shown(run.output, secrets), name
        assert processes.looks, "nobody looked at the processes"
        assert not processes.seen, name
        self.ran.add(name)
        return run


@pytest.fixture(scope="session")
def production() -> Environment:
    """Take the literal command's inventory, with one more for the test host."""
    return Watched(("inventories/production", "molecule/inventory/production"))


@pytest.fixture(scope="session")
def staging() -> Environment:
    """Take staging, on the same test host as production."""
    return Watched(("inventories/staging", "molecule/inventory/staging"))


@pytest.fixture(scope="session")
def server_named() -> Callable[[str], Server]:
    """Make a server from its container's name."""
    return Server


@pytest.fixture(scope="session")
def server(site: Site) -> Server:
    """Return the host of the scenario's site, as its own commands show it."""
    return Server(site.container)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return how to print a figure for whoever runs the tests."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return say
