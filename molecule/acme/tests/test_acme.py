"""Certificates from a CA: issued by each challenge, handed over, guarded, renewed, and watched."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from bench.acme import (
    DOMAINS,
    ISSUES,
    ISSUES_BRIEFLY,
    PROVIDES,
    SECONDS,
    SERVER,
    TRAEFIK,
    WILDCARD,
    Authority,
    Server,
    certificate,
    is_issued,
    names_of,
    wait_until_issued,
)
from bench.engine import docker
from bench.names import ROOT

HARMS = {
    "truncated": "truncate --size=40 {}",
    "readable by others": "chmod 644 {}",
    "empty": "truncate --size=0 {}",
    "another JSON": "echo '[]' > {}",
    "deleted": "rm {}",
    "a directory": "rm {0} && mkdir {0}",
}
IDLE = {"a": "10.213.0.3", "b": "10.213.0.2"}
GOOD = f"{TRAEFIK}/acme.good.json"
SPARE = "10.213.0.4"
ASK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
# Asks again and again on one connection.
TALK = """
import http.client, sys, time
line = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=3)
while True:
    line.request("GET", "/")
    print(line.getresponse().read().decode(), end="", flush=True)
    time.sleep(0.2)
"""
# The other challenges prove no wildcard, and need none of what the inventory says for this one.
WITHOUT_DNS: dict[str, Any] = {"traefik_acme_domains": [], "traefik_options": {}}
CHALLENGES: dict[str, dict[str, Any]] = {
    "tls": {"traefik_acme_challenge": "tls", **WITHOUT_DNS},
    "http": {"traefik_acme_challenge": "http", **WITHOUT_DNS},
    "dns": {},
}
OTHER_CREDENTIALS: dict[str, Any] = {"bench_provider_seconds": "20", "traefik_drain_timeout": 5}
VAULT = ROOT / "molecule/inventory/acme/group_vars/docker_hosts/vault.yml"


def password() -> str:
    """Return what the DNS provider wants to hear."""
    lines = dict(line.split(": ", 1) for line in VAULT.read_text().splitlines() if ": " in line)
    return lines["vault_dns_password"]


def wait_until_alike(server: Server, text: str) -> None:
    """Wait until the store and its good copy both hold this."""
    bound = time.monotonic() + 10
    while server.shell('cat "$1" "$2" || true', server.store, GOOD) != text * 2:
        assert time.monotonic() < bound
        time.sleep(0.5)


# issued -------------------------------------------------------------------------------------------


def test_every_name_is_shown_what_the_ca_issued_after_a_challenge(authority: Authority) -> None:
    wait_until_issued()
    assert authority.issued() == 2
    assert authority.challenges("yourdomain.com") == {"dns"}


def test_one_wildcard_is_for_all_names_below_and_no_stack_asks_for_those(
    server: Server, authority: Authority
) -> None:
    assert authority.challenges("wild.yourdomain.com") == {"dns"}
    for name in DOMAINS[2:]:
        assert names_of(certificate(name)) == {"wild.yourdomain.com", WILDCARD}
    assert names_of(certificate("yourdomain.com")) == {"yourdomain.com", "www.yourdomain.com"}
    assert "wild" not in server.run("cat", f"{TRAEFIK}/dynamic/production-certificate.yml")


def test_store_is_for_traefik_alone_and_the_copy_for_root(server: Server) -> None:
    modes = server.run("stat", "--format=%a %u", server.store, GOOD)
    assert modes.splitlines() == ["600 65532", "600 0"]


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_flip_hands_the_certificates_over_and_the_new_slot_issues_by_its_own_challenge(
    server: Server, authority: Authority, challenge: str
) -> None:
    before, slot, issued = certificate(DOMAINS[0]), server.slot, authority.issued()
    run = server.change(**CHALLENGES[challenge], traefik_drain_timeout=5)
    assert run.ok, run.output
    assert server.slot != slot
    assert certificate(DOMAINS[0]) == before
    assert authority.issued() == issued
    name = f"by-{challenge}.yourdomain.com"
    with server.asking_for(name):
        wait_until_issued(names=[name])
    assert authority.issued() == issued + 1
    assert authority.challenges(name) == {challenge} - {"tls"}


# the idle slot ------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [ISSUES, PROVIDES])
def test_idle_slot_reaches_neither_ca_nor_provider_and_other_addresses_do(
    server: Server, authority: Authority, port: int
) -> None:
    def asks(address: str) -> bool:
        said = server.shell(
            'docker run --rm --network slipway-door --ip "$@" 2>&1 || true',
            *(address, "python:3.13-slim", "python", "-c", ASK, authority.address, str(port)),
        )
        return not any(line.startswith(("TimeoutError", "OSError")) for line in said.splitlines())

    assert not asks(IDLE[server.slot])
    assert asks(SPARE)


def test_what_a_slot_said_to_a_provider_ends_with_its_turn(
    server: Server, authority: Authority
) -> None:
    address = IDLE[server.slot]
    said = ("python", "-c", TALK, authority.address, str(PROVIDES))
    try:
        with server.led_to(address):
            server.shell(
                'docker run --detach --name talker --network slipway-door --ip "$@"',
                *(address, "python:3.13-slim", *said),
            )
            bound = time.monotonic() + 20
            while "here" not in server.run("docker", "logs", "talker"):
                assert time.monotonic() < bound
                time.sleep(0.5)
        server.run("timeout", "20", "docker", "wait", "talker")
        assert "TimeoutError" in server.shell("docker logs talker 2>&1")
    finally:
        server.run("docker", "rm", "--force", "talker")


# credentials --------------------------------------------------------------------------------------


def test_changed_credentials_come_by_a_flip_to_the_slot_that_then_issues(
    server: Server, authority: Authority
) -> None:
    slot, issued = server.slot, authority.issued()
    for options, flips in ((("--check", "--diff"), False), (("--diff", "-vvv"), True)):
        run = server.change(*options, **OTHER_CREDENTIALS)
        assert run.ok, run.output
        assert password() not in run.output
        assert "# credentials: " in run.output
        assert (server.slot != slot) is flips
    with server.asking_for("with-others.yourdomain.com"):
        wait_until_issued(names=["with-others.yourdomain.com"])
    assert authority.issued() == issued + 1
    assert authority.challenges("with-others.yourdomain.com") == {"dns"}


def test_credentials_are_files_for_traefik_alone_and_nowhere_else(server: Server) -> None:
    (mine,) = server.run("ls", "-A", f"{TRAEFIK}/credentials").splitlines()
    folder = f"{TRAEFIK}/credentials/{mine}"
    files = sorted(server.shell('find "$1" -type f -printf "%f %m %U\\n"', folder).splitlines())
    assert files == [
        "HTTPREQ_ENDPOINT 400 65532",
        "HTTPREQ_HTTP_TIMEOUT 400 65532",
        "HTTPREQ_PASSWORD 400 65532",
        "HTTPREQ_USERNAME 400 65532",
    ]
    assert server.run("cat", f"{folder}/HTTPREQ_HTTP_TIMEOUT") == "20"
    places = "/srv /etc /run /tmp /var/log /var/tmp /root /home /usr/local"
    found = server.shell(f'grep -rlsF -- "$1" {places} || true', password())
    assert found.splitlines() == [f"{folder}/HTTPREQ_PASSWORD"]
    shown = server.run("docker", "inspect", f"traefik-{server.slot}")
    assert password() not in shown
    environment = json.loads(shown)[0]["Config"]["Env"]
    assert "HTTPREQ_PASSWORD_FILE=/run/credentials/HTTPREQ_PASSWORD" in environment
    words = server.shell("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert "--configFile=/etc/traefik/traefik.yml" in words
    assert password() not in words


# the guard ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", HARMS)
def test_broken_store_is_repaired_when_traefik_crashes_and_reads_it(
    server: Server, authority: Authority, harm: str
) -> None:
    issued, slot = authority.issued(), server.slot
    good = server.run("cat", GOOD)
    server.shell(
        f"{HARMS[harm].format(server.store)}; "
        'kill -KILL "$(docker inspect --format "{{.State.Pid}}" "traefik-$1")"',
        slot,
    )
    wait_until_issued()
    wait_until_alike(server, good)
    assert authority.issued() == issued


@pytest.mark.parametrize("harm", HARMS)
def test_broken_store_is_repaired_before_docker_starts_traefik_at_boot(
    server: Server, authority: Authority, harm: str
) -> None:
    issued, good = authority.issued(), server.run("cat", GOOD)
    # Nothing repairs it before the boot.
    server.run("systemctl", "stop", "slipway-acme-watch.path")
    server.shell(HARMS[harm].format(server.store))
    docker("restart", "--time", "10", SERVER)
    wait_until_issued()
    assert server.run("cat", server.store) == good
    assert authority.issued() == issued


# the check ----------------------------------------------------------------------------------------


def test_check_is_content_with_good_certificates_and_names_a_domain_without_one(
    server: Server,
) -> None:
    begun = server.run("date", "+%F %T").strip()
    server.run("systemctl", "start", "slipway-certificates.service")
    names = "(Host(`bare.example.com`) || Host(`*.bare.example.com`))"
    with server.answering(f"{{rule: {names}, service: noop@internal, tls: {{}}}}"):
        server.shell("systemctl start slipway-certificates.service || true")
    told = server.run(
        "journalctl", "--unit=slipway-certificates.service", "--output=cat", f"--since={begun}"
    )
    for name in ("bare.example.com", "*.bare.example.com"):
        assert f"{name}: Traefik has no certificate for it" in told
    assert "wild.yourdomain.com" not in told
    server.run("systemctl", "start", "slipway-certificates.service")


def test_provisioning_again_changes_nothing(server: Server) -> None:
    run = server.change(**OTHER_CREDENTIALS)
    assert run.ok, run.output
    assert run.changed == 0, run.output


# renewed ------------------------------------------------------------------------------------------


def test_another_ca_begins_anew_once_the_store_was_taken_away_and_renews_in_time(
    server: Server, authority: Authority
) -> None:
    before = certificate(WILDCARD.replace("*", "any"))
    server.shell('rm "$1" "$2"', GOOD, server.store)
    resolver = {
        "certificatesDuration": 1,
        "dnsChallenge": {"propagation": "{{ bench_propagation }}"},
    }
    run = server.change(
        traefik_acme_server=authority.directory(ISSUES_BRIEFLY),
        traefik_options={"certificatesResolvers": {"acme": {"acme": resolver}}},
        **OTHER_CREDENTIALS,
    )
    assert run.ok, run.output
    wait_until_issued()
    first = {name: certificate(name) for name in DOMAINS}
    assert before not in first.values()
    bound = time.monotonic() + 2 * SECONDS
    renewed: set[str] = set()
    while renewed != set(DOMAINS):
        assert time.monotonic() < bound, f"of {DOMAINS} only {renewed} were renewed"
        assert all(is_issued(name) for name in DOMAINS)
        renewed = {name for name in DOMAINS if certificate(name) != first[name]}
        time.sleep(1)
    for name in DOMAINS:
        old, new = first[name], certificate(name)
        assert old is not None
        assert new is not None
        assert new.not_valid_after_utc > old.not_valid_after_utc
        assert names_of(new) == names_of(old)
    wait_until_alike(server, server.run("cat", server.store))
