"""The host that production, staging and the previews share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bench.branches import DOMAIN, HOST, HTTPS_PORT, PASSWORD
from bench.visitor import Visitor

SECRETS = """
import json, pathlib, sys
found = [path for path in pathlib.Path(sys.argv[1]).rglob("secrets/**/*") if path.is_file()]
# The name of a role in Postgres is none.
print(json.dumps([path.read_text() for path in found if path.name != "database_user"]))
"""


@pytest.fixture(scope="session")
def server(server_named: Callable[[str], Any]) -> Any:
    """Return the host as its own commands show it."""
    return server_named(HOST)


@pytest.fixture
def staging_visitor() -> Visitor:
    """Return a visitor of staging who knows the password."""
    visitor = Visitor(DOMAIN, HTTPS_PORT)
    visitor.session.auth = PASSWORD
    return visitor


@pytest.fixture
def others(server: Any) -> Callable[[], dict[str, tuple[str, str]]]:
    """Tell which containers run that are no preview's, and since when."""

    def found() -> dict[str, tuple[str, str]]:
        return {
            name: (container["Id"], container["State"]["StartedAt"])
            for name, container in server.containers(all_=False).items()
            if not name.startswith("p-")
        }

    return found


@pytest.fixture
def left_of(server: Any) -> Callable[[str], list[str]]:
    """Name everything on the host that carries a stack's name."""

    def found(stack: str) -> list[str]:
        places = ("/srv", "/etc", "/usr/local/lib/slipway")
        names: list[str] = server.run("find", *places, "-name", f"*{stack}*").splitlines()
        for words in (
            ("ps", "--all", "--format", "{{.Names}}"),
            ("volume", "ls", "--quiet"),
            ("network", "ls", "--format", "{{.Name}}"),
            ("images", "--format", "{{.Repository}}"),
        ):
            listed = server.run("docker", *words).splitlines()
            names += [name for name in listed if stack in name]
        return names

    return found


@pytest.fixture
def secrets_of(server: Any) -> Callable[[str], set[str]]:
    """Read every secret that lies on the host for a stack."""

    def found(stack: str) -> set[str]:
        directory = f"/srv/slipway/stacks/{stack}"
        return set(json.loads(server.run("python3", "-c", SECRETS, directory)))

    return found
