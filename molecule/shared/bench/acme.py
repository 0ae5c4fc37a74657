"""A server whose certificates come from a CA of the bench, and what its visitors are shown."""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from bench.engine import docker
from bench.names import STATE
from bench.playbooks import Environment, Run
from bench.shell import BenchError

SERVER = "slipway-bench-acme"
CA = "slipway-bench-pebble"
DOMAINS = ("yourdomain.com", "www.yourdomain.com")
PORT = 8561
SECONDS = 60
ENVIRONMENT = Environment(("inventories/production", "molecule/inventory/acme"))


@dataclass(frozen=True)
class Authority:
    """The CA beside the server."""

    @property
    def address(self) -> str:
        """Return where it answers on the bench's network."""
        return str(json.loads((STATE / "pebble.json").read_text())["address"])

    def issued(self) -> int:
        """Count the certificates that it has issued."""
        return docker("logs", CA).count("Issued certificate")


class Server:
    """The test host."""

    def run(self, *command: str) -> str:
        """Run a command as root and return what it wrote."""
        return docker("exec", SERVER, *command)

    def change(self, **variables: Any) -> Run:
        """Run the shipped provisioning with some variables of the inventory changed."""
        return ENVIRONMENT.playbook("playbooks/provision.yml", **variables)

    @property
    def slot(self) -> str:
        """Return the active slot."""
        return "b" if "10.213.0.3" in self.run("cat", "/etc/slipway/slot.nft") else "a"

    @property
    def store(self) -> str:
        """Return the active slot's store of certificates."""
        return f"/srv/slipway/traefik/{self.slot}/acme/acme.json"


def certificate(name: str) -> x509.Certificate | None:
    """Return what a visitor of a name is shown, None while nobody answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", PORT), 5) as bare,
            context.wrap_socket(bare, server_hostname=name) as line,
        ):
            shown = line.getpeercert(binary_form=True)
    except OSError:
        return None
    return x509.load_der_x509_certificate(shown) if shown else None


def is_issued(name: str) -> bool:
    """Say whether a visitor is shown what the CA issued."""
    found = certificate(name)
    return found is not None and "Pebble" in found.issuer.rfc4514_string()


def wait_until_issued(seconds: float = SECONDS) -> float:
    """Wait until every name is shown what the CA issued; return how long that took."""
    begun = time.monotonic()
    while not all(is_issued(name) for name in DOMAINS):
        if time.monotonic() - begun > seconds:
            raise BenchError(f"Still shown after {seconds} s: {certificate(DOMAINS[0])}")
        time.sleep(0.5)
    return time.monotonic() - begun
