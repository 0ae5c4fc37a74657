"""How a container becomes a server: the flags that systemd and a nested engine need."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.distributions import DISTRIBUTIONS
from bench.engine import docker, install_packages
from bench.names import FACTS, LABEL, PREFIX, PRIVATE_KEY, REGISTRY_NAME, STATE
from bench.shell import BenchError, run

SYS_RESOURCE: Final = 24  # the bit of this capability in CapBnd
SYSTEMD: Final = "/lib/systemd/systemd"


@dataclass(frozen=True)
class Flags:
    """Options of `docker run`, in the words of community.docker.docker_container."""

    command: list[str]
    privileged: bool
    capabilities: list[str]
    cap_drop: list[str]
    security_opts: list[str]
    cgroupns_mode: str
    volumes: list[str]
    tmpfs: list[str]


def flags(cgroup_version: str, capability_bound: int) -> Flags:
    """Return what a server needs on this kind of machine.

    Tried: cgroup v1 with a kernel bound that lacks SYS_RESOURCE (`--privileged` then ends with
    "unable to apply caps"; systemd 257 wants to be told that v1 is meant). cgroup v2 takes the
    flags that kind uses for its nodes, which is the best known way.
    """
    modern = cgroup_version == "2"
    whole = bool(capability_bound >> SYS_RESOURCE & 1)
    unconfined = ["seccomp=unconfined", "apparmor=unconfined"]
    legacy = ["systemd.unified_cgroup_hierarchy=no", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
    return Flags(
        command=[SYSTEMD] if modern else [SYSTEMD, *legacy],
        privileged=modern and whole,
        capabilities=[] if modern and whole else ["ALL"],
        # The clock and the modules are the machine's own.
        cap_drop=[] if modern and whole else ["SYS_TIME", "SYS_MODULE", *_missing(whole)],
        security_opts=unconfined,
        cgroupns_mode="private" if modern else "host",
        volumes=[] if modern else ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        tmpfs=["/run", "/run/lock"],
    )


def _missing(whole: bool) -> list[str]:  # noqa: FBT001
    return [] if whole else ["SYS_RESOURCE"]


def this_machine() -> Flags:
    """Return the flags for the machine that the engine runs on."""
    status = Path("/proc/self/status").read_text()
    bound = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    version = docker("info", "--format", "{{.CgroupVersion}}").strip()
    return flags(version, int(bound.split()[1], 16))


def run_options(chosen: Flags) -> list[str]:
    """Return the flags in the words of the Docker client."""
    return [
        *(["--privileged"] if chosen.privileged else []),
        *(f"--cap-add={name}" for name in chosen.capabilities),
        *(f"--cap-drop={name}" for name in chosen.cap_drop),
        *(f"--security-opt={option}" for option in chosen.security_opts),
        f"--cgroupns={chosen.cgroupns_mode}",
        *(f"--volume={volume}" for volume in chosen.volumes),
        *(f"--tmpfs={folder}" for folder in chosen.tmpfs),
        "--env=container=docker",
    ]


def resolvers(*files: Path) -> list[str]:
    """Return the name servers that a nested engine can reach too: none on a loopback address.

    Reads the given files in order, and takes the first that names any.
    """
    for file in files:
        if not file.exists():
            continue
        words = [line.split() for line in file.read_text().splitlines()]
        servers = [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]
        usable = [name for name in servers if not name.startswith("127.") and name != "::1"]
        if usable:
            return usable
    return []


def machine_resolvers() -> list[str]:
    """Return this machine's name servers; systemd-resolved lists the real ones in its own file."""
    return resolvers(Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def daemon_options(*, mirror: bool) -> dict[str, object]:
    """Return the daemon.json of an engine on the bench: its registry, its name servers."""
    options: dict[str, object] = {"insecure-registries": [REGISTRY_NAME]}
    if mirror:
        options["registry-mirrors"] = [f"http://{REGISTRY_NAME}"]
    if servers := machine_resolvers():
        options["dns"] = servers
    return options


def ensure_key() -> None:
    """Have an SSH client, and the key that the bench logs in with."""
    if shutil.which("ssh-keygen") is None:
        install_packages("openssh-client")
    if PRIVATE_KEY.exists():
        return
    STATE.mkdir(mode=0o700, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", PREFIX, "-f", PRIVATE_KEY])


def write_facts(images: dict[str, str], *, mirror: bool) -> None:
    """Write down what create.yml and the bench's inventories need to know."""
    public = PRIVATE_KEY.with_suffix(".pub")
    if not public.exists():
        raise BenchError(f"{public} is missing: run `make clean`, then start over")
    facts = {
        "images": images,
        "docker_sources": {name: one.docker_source for name, one in DISTRIBUTIONS.items()},
        "flags": asdict(this_machine()),
        "label": LABEL,
        "daemon_options": daemon_options(mirror=mirror),
    }
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    if not FACTS.exists() or FACTS.read_text() != text:
        FACTS.write_text(text)
