"""A server whose certificates come from a CA of the bench, and what its visitors are shown."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from bench.engine import docker
from bench.names import STATE
from bench.playbooks import Environment, Run
from bench.shell import BenchError

SERVER = "slipway-bench-acme"
CA = "slipway-bench-pebble"
WILDCARD = "*.wild.yourdomain.com"
# Of the stack's own certificate, of the wildcard's, and of whatever else the wildcard is for.
DOMAINS = (
    "yourdomain.com",
    "www.yourdomain.com",
    "wild.yourdomain.com",
    "shop.wild.yourdomain.com",
    "any.wild.yourdomain.com",
)
PORT = 8561
TRAEFIK = "/srv/slipway/traefik"
# Ports of what runs beside the server: the CA, another one for short lives, and the DNS provider.
ISSUES, ISSUES_BRIEFLY, PROVIDES = 14000, 14001, 8056
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

    def directory(self, port: int) -> str:
        """Return the address of the directory of one of its two CAs."""
        return f"https://{self.address}:{port}/dir"

    def challenges(self, name: str) -> set[str]:
        """Say by which challenges it has had a name proved, as far as that leaves a trace."""
        told = docker("logs", CA)
        traces = {
            "http": f"Attempting to validate w/ HTTP: http://{name}",
            "dns": f"/present _acme-challenge.{name}.",
        }
        return {challenge for challenge, trace in traces.items() if trace in told}


class Server:
    """The test host."""

    def run(self, *command: str) -> str:
        """Run a command as root and return what it wrote."""
        return docker("exec", SERVER, *command)

    def shell(self, script: str, *words: str) -> str:
        """Run a script as root, with words for $1 and so on, and return what it wrote."""
        return self.run("sh", "-c", script, "sh", *words)

    @contextmanager
    def answering(self, router: str) -> Iterator[None]:
        """Have Traefik know one more router, a mapping in YAML, while the block runs."""
        file = f"{TRAEFIK}/dynamic/bench.yml"
        self.shell('echo "http: {routers: {bench: $1}}" > "$2~" && mv "$2~" "$2"', router, file)
        try:
            yield
        finally:
            self.run("rm", file)

    def asking_for(self, name: str) -> Any:
        """Have Traefik ask the CA for one more name while the block runs."""
        rule = f"rule: Host(`{name}`), service: noop@internal"
        return self.answering(f"{{{rule}, tls: {{certResolver: acme}}}}")

    def change(self, *options: str, **variables: Any) -> Run:
        """Run the shipped provisioning with some variables of the inventory changed."""
        return ENVIRONMENT.playbook("playbooks/provision.yml", *options, **variables)

    @contextmanager
    def led_to(self, address: str) -> Iterator[None]:
        """Lead visitors, and so what may be asked outside, to another address for a while."""
        script = 'sed -i "s/^define door = .*/define door = $1/" "$2" && nft --file "$3"'
        files = ("/etc/slipway/slot.nft", "/etc/slipway/door.nft")
        before = re.findall(r"^define door = (\S+)", self.run("cat", files[0]), re.MULTILINE)
        self.shell(script, address, *files)
        try:
            yield
        finally:
            self.shell(script, *before, *files)

    @property
    def slot(self) -> str:
        """Return the active slot."""
        return "b" if "10.213.0.3" in self.run("cat", "/etc/slipway/slot.nft") else "a"

    @property
    def store(self) -> str:
        """Return the active slot's store of certificates."""
        return f"{TRAEFIK}/{self.slot}/acme/acme.json"


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


def names_of(shown: x509.Certificate | None) -> set[str]:
    """Return the names that a certificate is for."""
    if shown is None:
        return set()
    found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found.get_values_for_type(x509.DNSName))


def is_issued(name: str) -> bool:
    """Say whether a visitor is shown what the CA issued, for this very name."""
    found = certificate(name)
    wildcard = f"*.{name.partition('.')[2]}"
    return (
        found is not None
        and "Pebble" in found.issuer.rfc4514_string()
        and bool({name, wildcard} & names_of(found))
    )


def wait_until_issued(seconds: float = SECONDS, names: Sequence[str] = DOMAINS) -> float:
    """Wait until every name is shown what the CA issued; return how long that took."""
    begun = time.monotonic()
    while missing := [name for name in names if not is_issued(name)]:
        if time.monotonic() - begun > seconds:
            raise BenchError(f"{missing} after {seconds} s: {certificate(missing[0])}")
        time.sleep(0.5)
    return time.monotonic() - begun
