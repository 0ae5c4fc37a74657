"""What a container may do on a hardened host, and whom it reaches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from bench.engine import address
from bench.names import REGISTRY, ROOT
from bench.site import Site

# Runs in the container's network with the host's own Python: an image may have none.
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
    print("reached")
except OSError:
    print("no way")
"""
UNPRIVILEGED = "0000000000000000"
PAGE = ("10.213.0.1", 8503)


@pytest.fixture(scope="module")
def containers(server: Any) -> dict[str, dict[str, Any]]:
    """Return the containers that Slipway runs, by what they are."""
    kinds = ("backend", "frontend", "worker", "scheduler", "postgres", "traefik")
    return {
        kind: container
        for kind in kinds
        for name, container in server.containers(all_=False).items()
        if kind in name
    }


@pytest.fixture
def reaches(server: Any, containers: dict[str, dict[str, Any]]) -> Any:
    """Say whether a container gets a connection to an address and a port."""

    def ask(kind: str, target: str, port: int) -> bool:
        process = str(containers[kind]["State"]["Pid"])
        said = server.run(
            *("nsenter", "--net", "--target", process, "python3", "-c", REACH, target, str(port))
        )
        return str(said).strip() == "reached"

    return ask


def addresses(container: dict[str, Any]) -> Iterator[str]:
    """Yield a container's addresses."""
    for network in container["NetworkSettings"]["Networks"].values():
        if network["IPAddress"]:
            yield network["IPAddress"]


def test_kernel_holds_each_container_to_what_was_asked(
    server: Any, containers: dict[str, dict[str, Any]]
) -> None:
    assert len(containers) == 6
    for kind, container in containers.items():
        lines = server.run("cat", f"/proc/{container['State']['Pid']}/status").splitlines()
        status = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        assert status["NoNewPrivs"] == "1", kind
        assert status["Seccomp"] == "2", kind
        assert status["CapPrm"] == status["CapEff"] == UNPRIVILEGED, kind
        assert status["Uid"].split()[0] != "0", kind
        config = container["HostConfig"]
        assert config["Memory"] > 0, kind
        assert config["NanoCpus"] > 0, kind
        assert config["PidsLimit"] > 0, kind
        assert config["ReadonlyRootfs"], kind
        assert not config["Privileged"], kind
        assert config["PidMode"] == config["UTSMode"] == "", kind
        assert config["IpcMode"] in {"private", "shareable"}, kind
        assert config["LogConfig"]["Type"] == "local", kind
        assert config["LogConfig"]["Config"]["max-size"] == "10m", kind


@pytest.mark.parametrize("kind", ["traefik", "frontend"])
def test_database_is_out_of_reach_of_what_faces_visitors(
    kind: str, containers: dict[str, dict[str, Any]], reaches: Any
) -> None:
    (database,) = addresses(containers["postgres"])
    assert reaches("backend", database, 5432), "the probe itself works"
    assert not reaches(kind, database, 5432)


@pytest.mark.parametrize(
    ("kind", "out"),
    [("backend", True), ("postgres", False), ("frontend", False), ("worker", False)],
)
def test_only_who_is_on_the_app_network_gets_out(kind: str, out: bool, reaches: Any) -> None:  # noqa: FBT001
    assert reaches(kind, address(REGISTRY), 5000) is out


@pytest.mark.parametrize("kind", ["backend", "frontend", "worker", "postgres", "traefik"])
def test_no_container_reaches_the_host_s_own_ports(
    kind: str, server: Any, reaches: Any, careless: Any
) -> None:
    own = server.run("hostname", "--all-ip-addresses").split()
    for target in (one for one in own if ":" not in one):
        for port in (22, 2375, careless.listening):
            assert not reaches(kind, target, port), f"{kind} reaches {target}:{port}"


@pytest.mark.parametrize(
    ("kind", "answered"),
    [("traefik", True), ("backend", False), ("frontend", False), ("postgres", False)],
)
def test_only_traefik_reaches_the_host_s_page(kind: str, answered: bool, reaches: Any) -> None:  # noqa: FBT001
    assert reaches(kind, *PAGE) is answered


def test_metadata_service_of_a_cloud_is_out_of_reach(server: Any, reaches: Any) -> None:
    server.run("ip", "address", "add", "169.254.169.254/32", "dev", "eth0")
    try:
        assert not reaches("backend", "169.254.169.254", 22)
    finally:
        server.run("ip", "address", "del", "169.254.169.254/32", "dev", "eth0")


def test_backend_still_asks_for_the_public_name_of_its_own_site(reaches: Any, server: Any) -> None:
    public = server.run("hostname", "--all-ip-addresses").split()
    assert reaches("backend", next(one for one in public if one.startswith("172.")), 443)


def test_service_that_would_run_as_root_is_refused(site: Site) -> None:
    shipped = yaml.safe_load((ROOT / "group_vars/all/stack.yml").read_text())["stack_services"]
    before = site.serves()
    refused = site.deploy(
        stack_version="hard",
        stack_services=shipped | {"tool": {"image": "python:3.13-slim", "command": ["python"]}},
    )
    assert not refused.ok
    assert "stack_services.tool.uid" in refused.output
    assert site.serves() == before
