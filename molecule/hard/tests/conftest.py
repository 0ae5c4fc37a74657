"""The hardened host, its neighbour, and what somebody put on it without asking anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from bench import neighbour as neighbours
from bench.engine import docker
from bench.neighbour import Neighbour
from bench.playbooks import Environment
from bench.site import Site

PUBLISHED: Final = 8999
LISTENING: Final = 9000

SITE: Final = Site(
    Environment(("inventories/production", "molecule/inventory/hard")),
    stack="production",
    domain="yourdomain.com",
    port=8551,
    container="slipway-bench-hard",
)
LISTENER: Final = f"""
[Unit]
Description=A program that listens without asking
[Service]
ExecStart=python3 -m http.server --bind :: {LISTENING}
Restart=always
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="session")
def site() -> Site:
    """Return the stack that is attacked."""
    return SITE


@pytest.fixture(scope="session")
def neighbour() -> Iterator[Neighbour]:
    """Return a machine beside the host."""
    image = docker("inspect", "--format={{.Image}}", SITE.container).strip()
    with neighbours.beside(SITE.container, image) as found:
        yield found


@dataclass(frozen=True)
class Careless:
    """Ports that somebody opened: a program's on the host, and one that a container publishes."""

    listening: int = LISTENING
    published: int = PUBLISHED


@pytest.fixture(scope="session")
def careless(server: Any) -> Careless:
    """Let a program listen on the host, and a foreign container publish a port to the world."""
    server.run("sh", "-c", f"echo '{LISTENER}' > /etc/systemd/system/listener.service")
    server.run("systemctl", "enable", "--quiet", "--now", "listener.service")
    backend = next(name for name in server.containers() if "-backend-" in name)
    image = server.containers()[backend]["Image"]
    if "stranger" not in server.containers():
        server.run(
            *("docker", "run", "--detach", "--name=stranger", "--restart=unless-stopped"),
            *(f"--publish={PUBLISHED}:{PUBLISHED}", "--entrypoint=python", image),
            *("-m", "http.server", str(PUBLISHED)),
        )
    return Careless()


@pytest.fixture(scope="session")
def inside(server: Any, neighbour: Neighbour, careless: Careless) -> set[tuple[str, int]]:
    """Return every container's own addresses with ports; the neighbour routes them through us."""
    networks = json.loads(
        server.run("sh", "-c", "docker network inspect $(docker network ls --quiet)")
    )
    for network in networks:
        for pool in network["IPAM"]["Config"] or []:
            neighbour.route(pool["Subnet"])
    ports = (80, 443, 5432, 8000, 8080, careless.published)
    return {
        (attached[family], port)
        for container in server.containers(all_=False).values()
        for attached in container["NetworkSettings"]["Networks"].values()
        for family in ("IPAddress", "GlobalIPv6Address")
        if attached[family]
        for port in ports
    }
