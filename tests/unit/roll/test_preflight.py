"""What would stop a roll halfway: disk, memory, names and versions."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import preflight
from ansible_collections.slipway.stack.plugins.module_utils.memory import (
    GIB,
    MIB,
    Need,
    memory_refusal,
    memory_used,
    memory_warning,
    needs,
    size,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan import stack_containers
from ansible_collections.slipway.stack.plugins.module_utils.preflight import (
    Findings,
    Lookup,
    disk_refusals,
    engine_paths,
    is_own,
    problems,
    version_refusals,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    Manifest,
    StackDirectory,
)

from tests.unit.release.fakes import DIGESTS, OLD, manifest, model, provisioned, with_service
from tests.unit.release.registry import Registry

GOOD_ENGINE = {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}
MEMINFO = "MemTotal:       4194304 kB\nMemFree:   1 kB\nMemAvailable:    1048576 kB\n"


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    return provisioned(tmp_path)


@pytest.fixture
def registry(directory: StackDirectory) -> Registry:
    return Registry(directory)


@pytest.fixture
def serving(registry: Registry) -> Manifest:
    one = manifest(OLD, outcome=SERVING)
    registry.add_release(one)
    return one


class Traefik(Proxy):
    """Answers one question: its version."""

    def get(self, path: str) -> Any:
        assert path == "/api/version"
        return {"Version": "3.7.15"}


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(None, None, None, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


# disk -------------------------------------------------------------------------------------------


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(
        os, "statvfs", lambda _: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096)
    )


def test_enough_room_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 2 * GIB)
    assert disk_refusals({"host_directory": tmp_path}, size("2g")) == []


def test_one_file_system_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 300 * MIB)
    (tmp_path / "docker").mkdir()
    found = disk_refusals({"Docker's": tmp_path / "docker", "host_directory": tmp_path}, size("2g"))
    assert len(found) == 1
    assert found[0].startswith(
        f"Disk: {tmp_path}/docker (Docker's) has 300 MiB free; stack_min_free_disk wants 2.0 GiB."
    )


def test_images_lie_with_containerd_where_the_engine_leaves_them_to_it(tmp_path: Path) -> None:
    own = {"DockerRootDir": "/var/lib/docker", "DriverStatus": [["Backing Filesystem", "extfs"]]}
    theirs = own | {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert engine_paths(own, tmp_path) == {"Docker's": Path("/var/lib/docker")}
    assert engine_paths(theirs, tmp_path) == {
        "Docker's": Path("/var/lib/docker"),
        "containerd's": tmp_path,
    }
    assert engine_paths(theirs, tmp_path / "elsewhere") == engine_paths(own, tmp_path)


# memory -----------------------------------------------------------------------------------------


def test_the_cache_that_a_container_can_give_back_does_not_count(
    registry: Registry, serving: Manifest
) -> None:
    first, second, frontend, worker = (
        name for service in serving.services.values() for name in service["containers"]
    )
    registry.used = {
        first: {"usage": 100 * MIB, "stats": {"inactive_file": 40 * MIB}},  # cgroup v2
        second: {"usage": 90 * MIB, "stats": {"total_inactive_file": 10 * MIB, "cache": 1}},  # v1
        frontend: {"usage": 5 * MIB},
    }
    found = memory_used(registry, stack_containers(registry, "shop"))
    assert found == {first: 60 * MIB, second: 80 * MIB, frontend: 5 * MIB}
    assert worker not in found


def test_a_container_that_does_not_run_uses_nothing(registry: Registry, serving: Manifest) -> None:
    name = next(iter(serving.services["worker"]["containers"]))
    registry.set_running(name, running=False)
    registry.used = {name: {"usage": 100 * MIB}}
    assert memory_used(registry, stack_containers(registry, "shop")) == {}


def test_a_container_counts_as_its_predecessor_or_its_limit(serving: Manifest) -> None:
    name = f"shop-{OLD}-backend-1"
    assert needs(with_service("backend", memory="256m"), serving, {name: 100 * MIB}) == [
        Need("backend", 125 * MIB),
        Need("backend", 125 * MIB),  # like the only replica that is known
        Need("frontend", 256 * MIB),
        Need("worker", 256 * MIB),
    ]
    small = needs(with_service("backend", memory="110m"), serving, {name: 100 * MIB})
    assert small[0] == Need("backend", 110 * MIB)


def test_a_first_deploy_counts_with_the_limits() -> None:
    assert {need.size for need in needs(model(), None, {})} == {256 * MIB}


def test_a_singleton_takes_the_place_of_its_predecessor(serving: Manifest) -> None:
    wanted = with_service("worker", singleton=True)
    name = f"shop-{OLD}-worker-1"
    assert "worker" in {need.service for need in needs(wanted, serving, {})}
    found = needs(wanted, serving, {name: 100 * MIB})
    assert "worker" not in {need.service for need in found}


def test_running_double_needs_what_is_available() -> None:
    enough = [Need("backend", 512 * MIB), Need("backend", 512 * MIB)]
    assert memory_refusal(enough, MEMINFO) == ""
    refused = memory_refusal([*enough, Need("worker", MIB)], MEMINFO)
    assert "(backend 1.0 GiB, worker 1 MiB), but 1.0 GiB are available" in refused
    assert "stack_sizes" in refused


def test_limits_beyond_the_whole_memory_are_worth_a_warning() -> None:
    assert memory_warning([Need("backend", 4 * GIB)], MEMINFO) == ""
    assert "the host has 4.0 GiB" in memory_warning([Need("backend", 4 * GIB + 1)], MEMINFO)


# names ------------------------------------------------------------------------------------------


def test_a_name_that_leads_to_the_host_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "192.0.2.1", "127.0.0.1")
    assert Lookup("shop.example.com").warning() == ""


def test_a_name_that_leads_elsewhere_is_worth_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "192.0.2.1")
    warning = Lookup("shop.example.com").warning()
    assert "'shop.example.com' leads to 192.0.2.1" in warning
    assert "CDN" in warning


def test_a_name_that_does_not_resolve_is_worth_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "(Name or service not known)" in Lookup("shop.example.com").warning().replace(
        "[Errno -2] ", ""
    )


def test_a_resolver_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(10) and [])
    monkeypatch.setattr(preflight, "NAME_SECONDS", 0.05)
    begun = time.monotonic()
    assert "does not answer" in Lookup("shop.example.com").warning()
    assert time.monotonic() - begun < 5
    over.set()


def test_names_of_the_machine_itself_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "192.0.2.1")
    assert Lookup("demo.localhost").warning() == ""


@pytest.mark.parametrize(
    ("address", "own"), [("127.0.0.1", True), ("192.0.2.1", False), ("2001:db8::1", False)]
)
def test_the_kernel_knows_its_own_addresses(address: str, *, own: bool) -> None:
    assert is_own(address) is own


# versions ---------------------------------------------------------------------------------------


def test_supported_versions_are_no_finding() -> None:
    for traefik in ("3.7.13", "v3.7.15", "4.0.0-rc.1", "somebody's own"):
        assert version_refusals(engine=GOOD_ENGINE, compose="v2.20.0\n", traefik=traefik) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"engine": {"Version": "23.0.1", "ApiVersion": "1.42"}},
            "Docker Engine 23.0.1 (API 1.42)",
        ),
        ({"compose": "2.19.9"}, "plug-in 2.19.9 is too old: 2.20"),
        ({"traefik": "3.7.12"}, "Traefik 3.7.12 has known ways"),
        ({"traefik": "2.11"}, "Raise traefik_image"),
    ],
)
def test_an_old_version_is_refused(changes: dict[str, Any], text: str) -> None:
    good = {"engine": GOOD_ENGINE, "compose": "2.26.1-4", "traefik": "3.7.15"}
    (refusal,) = version_refusals(**(good | changes))
    assert text in refusal
    assert "provision" in refusal


# all together -----------------------------------------------------------------------------------


def look(registry: Registry, serving: Manifest | None, **changes: Any) -> Findings:
    assert registry.directory
    values = {"model": model(), "min_free_disk": "1k", "starting": {*DIGESTS}} | changes
    return problems(
        registry.directory,
        registry,
        Traefik("192.0.2.1"),
        serving=serving,
        containers=stack_containers(registry, "shop"),
        **values,
    )


def test_a_good_host_has_no_findings(
    registry: Registry, serving: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    assert look(registry, serving) == Findings()


def test_what_stays_as_it_is_needs_no_further_memory(
    registry: Registry, serving: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    (tmp_path / "meminfo").write_text("MemTotal: 524288 kB\nMemAvailable: 524288 kB\n")
    monkeypatch.setattr(preflight, "MEMINFO", tmp_path / "meminfo")
    assert look(registry, serving).refusals
    assert look(registry, serving, starting={"worker"}).refusals == []


def test_memory_refuses_beside_a_release_and_warns_before_the_first(
    registry: Registry, serving: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    (tmp_path / "meminfo").write_text("MemTotal: 1024 kB\nMemAvailable: 1024 kB\n")
    monkeypatch.setattr(preflight, "MEMINFO", tmp_path / "meminfo")
    beside, first = look(registry, serving), look(registry, None)
    assert [text[:7] for text in beside.refusals] == ["Memory:"]
    assert beside.warnings == first.refusals == []
    assert [text[:7] for text in first.warnings] == ["Memory:"]
