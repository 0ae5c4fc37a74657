"""The files of production and staging, as `render.py` makes them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("production", "staging")
RELEASE_ID = "20261122-183000-b81d02aa"
VERSION = "1.4.1"
# What the operator puts where the shipped inventories say `change-me`.
FILLED = {
    "vault_django_secret_key": "a-key-with-a-$-in-it",
    "vault_postgres_password": "a-password",
    "vault_dns_token": "a-token-of-a-provider",
    "vault_team_password_hash": "$2y$05$abcdefghijklmnopqrstuuO0LZ0cq0Dd5xS8GkQ0bY5lXl1mJ3n5i",
    "host_deploy_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFILLED somebody"],
}
# For what belongs to the host, so that all of its rules are there.
HOST = {
    "traefik_acme_challenge": "dns",
    "traefik_acme_dns_provider": "cloudflare",
    "traefik_acme_dns_environment": {"CF_DNS_API_TOKEN": FILLED["vault_dns_token"]},
    "traefik_acme_dns_resolvers": ["1.1.1.1:53"],
    "traefik_acme_dns_delay": 10,
    "traefik_acme_domains": [{"main": "yourdomain.org", "sans": ["*.yourdomain.org"]}],
    "traefik_http3": True,
    "edge_cdn": "cloudflare",
    "edge_cdn_only": True,
    "__network_subnet_v6": "fd5c:1b0a:7e3d:d::/64",
}


@dataclass(frozen=True)
class Rendered:
    """One environment: its files as text, its word of secrets, and what a deploy knows.

    `variables` has the variables of a deploy by the playbook that it was started with.
    """

    model: dict[str, Any]
    compose: str
    routes: str
    data: str
    door: str
    filter: str
    static: str
    api: str
    certificate: str
    secrets: str
    variables: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        return str(self.model["name"])

    def neutral(self, kind: str) -> dict[str, Any]:
        """Parse a file with `<stack>`, `<domain>` and `<edge>.16` in place of the stack's own.

        What then differs from another environment's is neither a name, a domain nor a subnet.
        """
        text: str = getattr(self, kind)
        text = text.replace(self.model["domain"], "<domain>").replace(self.name, "<stack>")
        subnet = IPv4Network(self.model["subnet"])
        for network, part in zip(("edge", "data"), subnet.subnets(new_prefix=24), strict=False):
            prefix = str(part.network_address).rpartition(".")[0]
            text = text.replace(f"{prefix}.", f"<{network}>.")
        found: dict[str, Any] = yaml.safe_load(text)
        return found


@functools.cache
def _all(seed: int) -> dict[str, Rendered]:
    """Render the environments side by side, once for each seed of Python's hashes."""
    options = {"extra_vars": FILLED, "host": HOST, "release": RELEASE_ID, "version": VERSION}
    running = {
        environment: subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "tests/templates/render.py"),
                environment,
                json.dumps(options),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in ENVIRONMENTS
    }
    found = {}
    for environment, process in running.items():
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        found[environment] = Rendered(**json.loads(stdout))
    return found


def rendered(environment: str, seed: int = 1) -> Rendered:
    """Return what an environment's `deploy` and `provision` write."""
    return _all(seed)[environment]


def differences(here: Any, there: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Return what differs between two parsed files, by path; None stands for what is missing."""
    if isinstance(here, dict) and isinstance(there, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in [*here, *(key for key in there if key not in here)]:
            found |= differences(here.get(key), there.get(key), f"{path}.{key}".lstrip("."))
        return found
    return {} if here == there else {path: (here, there)}
