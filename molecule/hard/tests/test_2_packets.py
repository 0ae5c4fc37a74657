"""What answers a neighbour: SSH and the web, whatever listens and whatever was restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from bench.engine import address, docker
from bench.names import REGISTRY
from bench.neighbour import Neighbour, Target
from bench.shell import BenchError
from bench.site import Site

FAMILIES = (4, 6)
WEB = {80, 443}
FORBIDDEN = (2375, 2376, 5432, 8000, 8080)
OTHER = {4: 6, 6: 4}
# Another address of the neighbour's own network of IPv6.
SECOND = "fd00:5119:a7::5ec0"
BACK_SECONDS = 120
TABLE = ("inet", "slipway-filter")
EVENTS = {
    "engine restarts": ["restart", "docker.service"],
    "filter is reloaded": ["reload", "slipway-filter.service"],
    "filter is stopped": ["stop", "slipway-filter.service"],
    "door is reloaded": ["reload", "slipway-door.service"],
    "nftables.service starts": ["start", "nftables.service"],
    "nftables.service is reloaded": ["reload", "nftables.service"],
    "nftables.service stops": ["stop", "nftables.service"],
}


def wait_for(works: Callable[[], object], seconds: float = BACK_SECONDS) -> None:
    """Wait until something works; fail with its own error when it does not in time."""
    bound = time.monotonic() + seconds
    while True:
        try:
            works()
        except (AssertionError, BenchError, requests.RequestException):
            if time.monotonic() > bound:
                raise
            time.sleep(0.3)
        else:
            return


@pytest.fixture
def targets(neighbour: Neighbour, inside: set[Target], careless: Any) -> set[Target]:
    """Return all that must stay silent, on the host and behind it."""
    ports = (*FORBIDDEN, careless.listening, careless.published)
    own = {(each, port) for each in neighbour.host.values() for port in ports}
    return own | inside


def serves(site: Site, neighbour: Neighbour) -> None:
    """Assert that visitors are served, and that the neighbour is one of them."""
    assert site.visitor().get("/version").status_code == 200
    web = {(each, port) for each in neighbour.host.values() for port in WEB}
    assert neighbour.knocks(web) == web


def reaches_out(server: Any) -> None:
    """Assert that a container of the application gets out, here to the bench's registry."""
    name = next(one for one in server.containers() if "-backend-" in one)
    ask = f"import socket; socket.create_connection(('{address(REGISTRY)}', 5000), 3); print('ok')"
    said = server.run("sh", "-c", f'docker exec {name} python -c "{ask}" 2>&1 || true')
    assert said.strip() == "ok"


def test_probe_hears_what_is_silent_only_because_of_the_filter(
    server: Any, neighbour: Neighbour, careless: Any
) -> None:
    targets = {(each, careless.listening) for each in neighbour.host.values()}
    targets |= {(neighbour.host[4], careless.published)}
    server.run("nft", "delete", "table", *TABLE)
    try:
        assert neighbour.knocks(targets) == targets
    finally:
        server.run("systemctl", "restart", "slipway-filter.service")
    assert neighbour.knocks(targets) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_of_all_ports_only_ssh_and_the_web_answer(family: int, neighbour: Neighbour) -> None:
    everything = ((neighbour.host[family], port) for port in range(1, 65536))
    found = neighbour.knocks(everything)
    assert {port for _, port in found} == {22} | WEB


def test_neighbour_who_routes_the_containers_subnets_through_the_host_gets_nowhere(
    neighbour: Neighbour, inside: set[Target]
) -> None:
    assert len(inside) > 20
    assert any(":" in address for address, _ in inside)
    assert neighbour.knocks(inside) == set()


@pytest.mark.parametrize("event", EVENTS)
def test_host_stays_closed_and_serves_while_and_after(
    event: str, server: Any, site: Site, neighbour: Neighbour, targets: set[Target]
) -> None:
    with neighbour.knocking(targets) as found:
        server.run("systemctl", *EVENTS[event])
        wait_for(lambda: serves(site, neighbour))
        wait_for(lambda: reaches_out(server))
    assert found.rounds > 1
    assert found.answered == set()
    ways_in = {(each, 22) for each in neighbour.host.values()}
    assert neighbour.knocks(ways_in) == ways_in
    server.run("systemctl", "start", "slipway-filter.service")


# What engines from 27 on do by themselves, and those before only when told.
IP6TABLES = """
import json, pathlib
file = pathlib.Path("/etc/docker/daemon.json")
told = json.loads(file.read_text()) | {"experimental": True, "ip6tables": True}
file.write_text(json.dumps(told))
"""


def test_host_stays_closed_and_serves_with_an_engine_that_filters_ipv6(
    server: Any, site: Site, neighbour: Neighbour, targets: set[Target]
) -> None:
    before = server.run("cat", "/etc/docker/daemon.json")
    server.run("python3", "-c", IP6TABLES)
    try:
        with neighbour.knocking(targets) as found:
            server.run("systemctl", "restart", "docker.service")
            wait_for(lambda: serves(site, neighbour))
        rules = server.run("ip6tables", "--list-rules", "FORWARD")
        assert "-A FORWARD -j DOCKER-USER" in rules, "the engine does filter"
        assert found.answered == set()
        assert neighbour.knocks(targets) == set()
    finally:
        restore = "import sys; open('/etc/docker/daemon.json', 'w').write(sys.argv[1])"
        server.run("python3", "-c", restore, before)
        server.run("systemctl", "restart", "docker.service")
    wait_for(lambda: serves(site, neighbour))


def test_host_is_closed_from_the_first_second_of_a_boot(
    server: Any, site: Site, neighbour: Neighbour, targets: set[Target]
) -> None:
    server.run("sh", "-c", "echo said before the boot | systemd-cat")
    with neighbour.knocking(targets) as found:
        docker("restart", "--time", "10", server.name)
        wait_for(lambda: serves(site, neighbour))
        wait_for(lambda: reaches_out(server))
    assert found.rounds > 10
    # A container has its network before its first process runs, so the kernel alone may refuse.
    assert found.opened == set()
    assert server.run("systemctl", "is-active", "listener.service").strip() == "active"
    assert "said before the boot" in server.run(
        "journalctl", "--no-pager", "--grep=before the boot"
    )
    assert "stranger" in server.containers(all_=False)


def test_filter_comes_before_the_door_and_both_before_the_network_and_the_engine(
    server: Any,
) -> None:
    def property_of(unit: str, name: str) -> str:
        said: str = server.run("systemctl", "show", "--value", f"--property={name}", unit)
        return said

    assert {"network-pre.target", "sysinit.target"} <= set(
        property_of("slipway-filter.service", "Before").split()
    )
    assert {"network-pre.target", "docker.service"} <= set(
        property_of("slipway-door.service", "Before").split()
    )

    def since_boot(unit: str, moment: str) -> int:
        return int(property_of(unit, f"{moment}TimestampMonotonic"))

    closed = since_boot("slipway-filter.service", "ActiveEnter")
    assert closed > 0
    assert closed <= since_boot("network-pre.target", "ActiveEnter")
    for unit in ("ssh", "docker", "listener", "slipway-door"):
        assert closed <= since_boot(f"{unit}.service", "InactiveExit"), unit
    opened = since_boot("slipway-door.service", "ActiveEnter")
    assert opened <= since_boot("network-pre.target", "ActiveEnter")
    assert opened <= since_boot("docker.service", "InactiveExit")


def test_forwarding_is_on_with_all_kernel_values_set_again(server: Any) -> None:
    server.run("systemctl", "restart", "systemd-sysctl.service")
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        assert server.run("sysctl", "-n", name).strip() == "1"
    assert server.run("sysctl", "-n", "net.ipv4.conf.all.accept_redirects").strip() == "0"
    reaches_out(server)


@pytest.mark.parametrize("family", FAMILIES)
def test_ssh_is_limited_by_rate_for_each_visitor_alone_of_ipv6_a_whole_network(
    family: int, server: Any, site: Site, neighbour: Neighbour
) -> None:
    server.run("systemctl", "restart", "slipway-filter.service")
    own = [neighbour.own[family]]
    if family == 6:
        neighbour.run("ip", "address", "replace", f"{SECOND}/64", "dev", "eth0", "nodad")
        own.append(SECOND)
    told = neighbour.run("python3", "-c", ATTEMPTS, neighbour.host[family], "100", *own).split()
    answered, seconds = int(told[0]), float(told[1])
    # A token comes back each second.
    assert 60 <= answered <= 61 + seconds
    assert answered < 100
    other = {(neighbour.host[OTHER[family]], 22)}
    assert neighbour.knocks(other) == other
    listed = site.environment.playbook("playbooks/releases.yml")
    assert listed.ok, "who is not the neighbour still gets in"


def test_ssh_answers_the_named_sources_alone(
    site: Site, server: Any, neighbour: Neighbour, careless: Any
) -> None:
    refused = site.environment.playbook(
        "playbooks/provision.yml", network_ssh_sources=["192.0.2.1"]
    )
    assert not refused.ok
    assert refused.changed == 0
    assert "network_ssh_sources would shut you out" in refused.output
    own = docker(
        "inspect", "--format={{range .NetworkSettings.Networks}}{{.Gateway}} {{end}}", server.name
    )
    try:
        done = site.environment.playbook(
            "playbooks/provision.yml",
            network_ssh_sources=own.split(),
            network_open_ports=[{"port": careless.listening, "sources": ["172.31.213.0/24"]}],
        )
        assert done.ok, done.output
        ways = {
            (each, port) for each in neighbour.host.values() for port in (22, careless.listening)
        }
        assert neighbour.knocks(ways) == {(neighbour.host[4], careless.listening)}
    finally:
        again = site.environment.playbook("playbooks/provision.yml")
    assert again.ok, again.output


ATTEMPTS = """
import itertools, socket, sys, time
began = time.monotonic()
lines = []
for own in itertools.islice(itertools.cycle(sys.argv[3:]), int(sys.argv[2])):
    line = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET)
    line.bind((own, 0))
    line.settimeout(0.2)
    try:
        line.connect((sys.argv[1], 22))
        lines.append(line)
    except TimeoutError:
        line.close()
print(len(lines), time.monotonic() - began)
"""
