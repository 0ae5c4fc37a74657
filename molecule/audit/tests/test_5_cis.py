"""The checks of the CIS Docker Benchmark 1.6 that a program can make, by their numbers there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import pytest

Container = dict[str, Any]

KINDS: Final = ("backend", "frontend", "postgres", "scheduler", "traefik", "worker")
SENSITIVE: Final = ("/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/usr", "/var/run")
DOCKER_OWNED: Final = {
    "3.1 and 3.2": ("/usr/lib/systemd/system/docker.service", "root:root", 0o644),
    "3.3 and 3.4": ("/usr/lib/systemd/system/docker.socket", "root:root", 0o644),
    "3.5 and 3.6": ("/etc/docker", "root:root", 0o755),
    "3.15 and 3.16": ("/run/docker.sock", "root:docker", 0o660),
    "3.17 and 3.18": ("/etc/docker/daemon.json", "root:root", 0o644),
    "3.19 and 3.20": ("/etc/default/docker", "root:root", 0o644),
    "3.23 and 3.24": ("/run/containerd/containerd.sock", "root:root", 0o660),
}

# Ubuntu's package has no such file: systemd reads none.
FOR_INIT_SCRIPTS: Final = {"/etc/default/docker"}
ENGINE_LIMITS: Final = [{"Name": "core", "Hard": 0, "Soft": 0}]


def options(container: Container) -> dict[str, Any]:
    """Return what a container was asked to be held to."""
    found: dict[str, Any] = container["HostConfig"]
    return found


def user(container: Container) -> str:
    return str(container["Config"]["User"]).partition(":")[0]


def sources(container: Container) -> list[str]:
    return [mount["Source"] for mount in container["Mounts"]]


def is_sensitive(source: str) -> bool:
    return source == "/" or any(f"{source}/".startswith(f"{path}/") for path in SENSITIVE)


CHECKS: Final[dict[str, Callable[[Container], bool]]] = {
    "4.1 runs as a user": lambda one: user(one) not in {"", "0", "root"},
    "5.3 has an SELinux label": lambda one: bool(one["ProcessLabel"]),
    "5.4 has no capability": lambda one: (
        options(one)["CapDrop"] == ["ALL"] and not options(one)["CapAdd"]
    ),
    "5.5 is not privileged": lambda one: not options(one)["Privileged"],
    "5.6 sees no sensitive directory": lambda one: not any(map(is_sensitive, sources(one))),
    "5.8, 5.9, 5.14 publishes no port": lambda one: not options(one)["PortBindings"],
    "5.10 has a network of its own": lambda one: options(one)["NetworkMode"] != "host",
    "5.11 has a bound of memory": lambda one: options(one)["Memory"] > 0,
    "5.12 has a bound of processors": lambda one: options(one)["NanoCpus"] > 0,
    "5.13 has a read-only root": lambda one: bool(options(one)["ReadonlyRootfs"]),
    "5.15 is not started again for ever": lambda one: (
        options(one)["RestartPolicy"]["Name"] in {"no", "on-failure"}
    ),
    "5.16 has processes of its own": lambda one: options(one)["PidMode"] == "",
    "5.17 has IPC of its own": lambda one: options(one)["IpcMode"] in {"private", "shareable"},
    "5.18 has no device": lambda one: not options(one)["Devices"],
    "5.19 keeps the engine's limits": lambda one: options(one)["Ulimits"] == ENGINE_LIMITS,
    "5.20 propagates no mount": lambda one: (
        not any("shared" in mount["Propagation"] for mount in one["Mounts"])
    ),
    "5.21 has a host name of its own": lambda one: options(one)["UTSMode"] == "",
    "5.22 is under seccomp": lambda one: (
        not any("seccomp" in option for option in options(one)["SecurityOpt"])
    ),
    "5.25 is in no other cgroup": lambda one: options(one)["CgroupParent"] == "",
    "5.26 gains no privileges": lambda one: "no-new-privileges:true" in options(one)["SecurityOpt"],
    "5.27 has a health check": lambda one: "Health" in one["State"],
    "5.28 is of one digest": lambda one: "@sha256:" in one["Config"]["Image"],
    "5.29 has a bound of processes": lambda one: (options(one)["PidsLimit"] or 0) > 0,
    "5.30 is not on the default bridge": lambda one: (
        "bridge" not in one["NetworkSettings"]["Networks"]
    ),
    "5.31 has users of its own": lambda one: options(one)["UsernsMode"] == "",
    "5.32 has no engine's socket": lambda one: not any("docker.sock" in s for s in sources(one)),
}
DAEMON: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], bool]]] = {
    "2.1 runs without root": lambda _, info: "name=rootless" in info["SecurityOptions"],
    "2.2 keeps containers apart": lambda file, _: file["icc"] is False,
    "2.3 logs what matters": lambda file, _: file.get("log-level", "info") == "info",
    "2.4 may write its rules": lambda file, _: file.get("iptables", True) is True,
    "2.5 asks no registry without TLS": lambda file, _: not file.get("insecure-registries"),
    "2.6 does without aufs": lambda _, info: info["Driver"] != "aufs",
    "2.7 listens on no port": lambda file, _: "hosts" not in file,
    "2.8 bounds core dumps": lambda file, _: file["default-ulimits"]["core"]["Hard"] == 0,
    "2.9 maps users": lambda file, _: "userns-remap" in file,
    "2.10 leaves the cgroup alone": lambda file, _: "cgroup-parent" not in file,
    "2.11 leaves sizes alone": lambda file, _: "storage-opts" not in file,
    "2.12 asks a plug-in for leave": lambda file, _: "authorization-plugins" in file,
    "2.13 logs to another machine": lambda file, _: (
        file["log-driver"] not in {"json-file", "local", "journald"}
    ),
    "2.14 gives no new privileges": lambda file, _: file["no-new-privileges"] is True,
    "2.15 keeps containers alive": lambda file, _: file["live-restore"] is True,
    "2.16 does without the proxy": lambda file, _: file["userland-proxy"] is False,
    "2.17 has its own seccomp profile": lambda _, info: (
        "name=seccomp,profile=builtin" in info["SecurityOptions"]
        or "name=seccomp,profile=default" in info["SecurityOptions"]
    ),
    "2.18 has no experiments": lambda _, info: info["ExperimentalBuild"] is False,
    "5.1 is in no swarm": lambda _, info: info["Swarm"]["LocalNodeState"] == "inactive",
    "logs are bounded": lambda file, _: {"max-size", "max-file"} <= set(file["log-opts"]),
}


@pytest.fixture(scope="module")
def containers(server: Any) -> dict[str, list[Container]]:
    """Return all containers that run, by what they are."""
    found: dict[str, list[Container]] = {kind: [] for kind in KINDS}
    for name, container in server.containers(all_=False).items():
        found[next(kind for kind in KINDS if kind in name)].append(container)
    assert all(found.values())
    return found


@pytest.fixture(scope="module")
def engine(server: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the engine's configuration, and what it says of itself."""
    file = server.run("cat", "/etc/docker/daemon.json")
    return json.loads(file), json.loads(server.run("docker", "info", "--format={{json .}}"))


def waived(waivers: dict[str, Any], check: str) -> set[str]:
    """Return what a check is waived for: kinds of containers, or the engine."""
    found = set(waivers["cis"].get(check, {}))
    return set(KINDS) if "all" in found else found


@pytest.mark.parametrize("check", CHECKS)
def test_each_container(
    check: str, containers: dict[str, list[Container]], waivers: dict[str, Any]
) -> None:
    failing = {kind for kind in KINDS if not all(map(CHECKS[check], containers[kind]))}
    assert failing == waived(waivers, check)


@pytest.mark.parametrize("check", DAEMON)
def test_engine(
    check: str, engine: tuple[dict[str, Any], dict[str, Any]], waivers: dict[str, Any]
) -> None:
    assert DAEMON[check](*engine) is ("engine" not in waived(waivers, check))


@pytest.mark.parametrize("check", DOCKER_OWNED)
def test_files_of_the_engine_are_root_s_alone(check: str, server: Any) -> None:
    path, owner, most = DOCKER_OWNED[check]
    if path in FOR_INIT_SCRIPTS and path not in server.run("find", "/etc/default").split():
        return
    found, _, mode = server.run("stat", "--format=%U:%G %a", path).strip().partition(" ")
    assert found == owner
    assert int(mode, 8) & ~most == 0


def test_4_8_no_program_of_the_application_changes_who_runs_it(
    server: Any, containers: dict[str, list[Container]]
) -> None:
    for kind in ("backend", "frontend", "scheduler", "worker"):
        root = f"/proc/{containers[kind][0]['State']['Pid']}/root"
        found = server.run("find", f"{root}/", "-xdev", "-type", "f", "-perm", "/6000")
        assert found == "", kind


def test_nobody_but_root_may_use_the_engine(server: Any) -> None:
    assert server.run("getent", "group", "docker").strip().endswith(":")


def test_2_8_no_container_leaves_a_core_dump(
    server: Any, containers: dict[str, list[Container]]
) -> None:
    for container in chain.from_iterable(containers.values()):
        limits = server.run("cat", f"/proc/{container['State']['Pid']}/limits")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), container["Name"]


def test_5_2_each_container_has_an_apparmor_profile_if_the_kernel_knows_any(
    engine: tuple[dict[str, Any], dict[str, Any]], containers: dict[str, list[Container]]
) -> None:
    known = "name=apparmor" in engine[1]["SecurityOptions"]
    for container in chain.from_iterable(containers.values()):
        confined = container["AppArmorProfile"] not in {"", "unconfined"}
        assert confined is known, container["Name"]


def test_every_waiver_is_for_a_check(waivers: dict[str, Any]) -> None:
    assert set(waivers["cis"]) <= set(CHECKS) | set(DAEMON)
