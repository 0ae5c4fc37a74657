"""Certificates from a CA: issued by a challenge, handed over, guarded, and watched."""

from __future__ import annotations

import time

import pytest
from bench.acme import DOMAINS, SERVER, Authority, Server, certificate, wait_until_issued
from bench.engine import docker

HARMS = {
    "truncated": "truncate --size=40 {}",
    "readable by others": "chmod 644 {}",
    "empty": "truncate --size=0 {}",
    "another JSON": "echo '[]' > {}",
    "deleted": "rm {}",
    "a directory": "rm {0} && mkdir {0}",
}
IDLE = {"a": "10.213.0.3", "b": "10.213.0.2"}
GOOD = "/srv/slipway/traefik/acme.good.json"
ROUTER = "bare: {rule: Host(`bare.example.com`), service: noop@internal, tls: {}}"
SPARE = "10.213.0.4"
ASK = "import socket, sys; socket.create_connection((sys.argv[1], 14000), 3)"


def test_every_domain_is_shown_what_the_ca_issued_after_a_challenge(authority: Authority) -> None:
    wait_until_issued()
    assert authority.issued() == 1


def test_store_is_for_traefik_alone_and_the_copy_for_root(server: Server) -> None:
    modes = server.run("stat", "--format=%a %u", server.store, GOOD)
    assert modes.splitlines() == ["600 65532", "600 0"]


@pytest.mark.parametrize("challenge", ["tls", "http"])
def test_flip_hands_the_certificates_over_and_asks_for_none(
    server: Server, authority: Authority, challenge: str
) -> None:
    before, slot, issued = certificate(DOMAINS[0]), server.slot, authority.issued()
    run = server.change(traefik_acme_challenge=challenge, traefik_drain_timeout=5)
    assert run.ok, run.output
    assert server.slot != slot
    assert certificate(DOMAINS[0]) == before
    assert authority.issued() == issued


def test_idle_slot_reaches_no_ca_and_other_addresses_do(
    server: Server, authority: Authority
) -> None:
    def asks(address: str) -> bool:
        said = server.run(
            *("sh", "-c", 'docker run --rm --network slipway-door --ip "$0" "$@" 2>&1 || true'),
            *(address, "python:3.13-slim", "python", "-c", ASK, authority.address),
        )
        return not any(line.startswith(("TimeoutError", "OSError")) for line in said.splitlines())

    assert not asks(IDLE[server.slot])
    assert asks(SPARE)


@pytest.mark.parametrize("harm", HARMS)
def test_broken_store_is_repaired_at_once_and_when_traefik_read_it_meanwhile(
    server: Server, authority: Authority, harm: str
) -> None:
    issued = authority.issued()
    good = server.run("cat", GOOD)
    broken = HARMS[harm].format(server.store)
    server.run("sh", "-c", f"{broken}; docker restart --time 1 traefik-{server.slot}")
    wait_until_issued()
    bound = time.monotonic() + 10
    while server.run("sh", "-c", f"cat {server.store} || true") != good:
        assert time.monotonic() < bound
        time.sleep(0.5)
    assert authority.issued() == issued


def test_broken_store_is_repaired_before_docker_starts_traefik_at_boot(
    server: Server, authority: Authority
) -> None:
    issued = authority.issued()
    server.run("systemctl", "stop", "slipway-acme-watch.path")
    server.run("truncate", "--size=40", server.store)
    docker("restart", "--time", "10", SERVER)
    wait_until_issued(90)
    assert authority.issued() == issued


def test_check_is_content_with_good_certificates_and_names_a_domain_without_one(
    server: Server,
) -> None:
    server.run("systemctl", "start", "slipway-certificates.service")
    file = "/srv/slipway/traefik/dynamic/bare.yml"
    server.run("sh", "-c", f"echo 'http: {{routers: {{{ROUTER}}}}}' > {file}")
    server.run("sh", "-c", "systemctl start slipway-certificates.service || true")
    server.run("rm", file)
    told = server.run("journalctl", "--unit=slipway-certificates.service", "--output=cat")
    assert "bare.example.com: Traefik has no certificate for it" in told
    server.run("systemctl", "start", "slipway-certificates.service")


def test_provisioning_again_changes_nothing(server: Server) -> None:
    run = server.change()
    assert run.ok, run.output
    assert run.changed == 0, run.output
