"""What would stop a roll halfway, found before it begins: room, memory, names and versions.

Each finding says what is wrong and what to do. A refusal ends the deploy before anything is
changed; a warning is what may well be right, such as a name that leads to a CDN. What the kernel or
the engine's API can answer is asked there: a command line costs a tenth of a second.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.memory import (
    MEMINFO,
    memory_refusal,
    memory_used,
    memory_warning,
    needs,
    readable,
    size,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    StackDirectory,
)

MINIMUM_API = (1, 44)  # that of Docker Engine 25.0
MINIMUM_COMPOSE = (2, 20)
# The first without a known way around authentication, path rules or TLS options
# (CVE-2026-40912, CVE-2026-48020, CVE-2026-85597).
MINIMUM_TRAEFIK = (3, 7, 13)
# Where Docker Engine 29 keeps images, on a host that begins with it.
CONTAINERD = Path("/var/lib/containerd")
NAME_SECONDS = 1.0
LOOPBACK_NAMES = ".localhost"  # every machine's own, by RFC 6761; resolvers need not know them


@dataclass(frozen=True)
class Findings:
    """What stands against a deploy, and what only may."""

    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def problems(
    directory: StackDirectory,
    engine: Engine,
    proxy: Proxy,
    *,
    model: dict[str, Any],
    serving: Manifest | None,
    containers: list[dict[str, Any]],
    min_free_disk: str,
    starting: set[str],
) -> Findings:
    """Look at everything at once; ReleaseError only when the engine or Traefik do not answer.

    `containers` are those of the stack, as the engine's API lists them; `starting` names the
    services of which new ones come.
    """
    lookup = Lookup(model["domain"])
    with ThreadPoolExecutor() as pool:
        compose = pool.submit(engine.run, "compose", "version", "--short")
        info = pool.submit(engine.ask, "/info")
        version = pool.submit(engine.ask, "/version")
        traefik = pool.submit(proxy.get, "/api/version")
        used = memory_used(engine, containers) if serving else {}
        wanted = [one for one in needs(model, serving, used) if one.service in starting]
    meminfo = MEMINFO.read_text()
    refusals = [
        *disk_refusals(
            engine_paths(info.result()[1]) | {"host_directory": directory.host},
            size(min_free_disk),
        ),
        memory_refusal(wanted, meminfo) if serving else "",
        *version_refusals(
            engine=version.result()[1],
            compose=compose.result(),
            traefik=str(traefik.result().get("Version", "")),
        ),
    ]
    warnings = ["" if serving else memory_warning(wanted, meminfo), lookup.warning()]
    return Findings(list(filter(None, refusals)), list(filter(None, warnings)))


# disk -------------------------------------------------------------------------------------------


def engine_paths(info: dict[str, Any], containerd: Path = CONTAINERD) -> dict[str, Path]:
    """Return where the engine keeps volumes and images, by whose place it is."""
    paths = {"Docker's": Path(info["DockerRootDir"])}
    status = info.get("DriverStatus") or []
    if any(value.startswith("io.containerd.") for _, value in status) and containerd.exists():
        paths["containerd's"] = containerd
    return paths


def disk_refusals(paths: dict[str, Path], wanted: int) -> list[str]:
    """Refuse file systems with too little room; one that holds several paths is named once."""
    short: dict[int, str] = {}
    for label, path in paths.items():
        found = os.statvfs(path)
        free = found.f_bavail * found.f_frsize
        if free < wanted:
            text = f"{path} ({label}) has {readable(free)} free"
            short.setdefault(path.stat().st_dev, text)
    if not short:
        return []
    advice = (
        f"stack_min_free_disk wants {readable(wanted)}. Make room: lower stack_keep_releases, "
        f"remove what is not needed ('docker system df' and 'du -x' show what is large), or "
        f"enlarge the disk."
    )
    return [f"Disk: {', '.join(short.values())}; {advice}"]


# names ------------------------------------------------------------------------------------------


class Lookup:
    """A look-up of the stack's domain beside everything else: a resolver may take its time."""

    def __init__(self, domain: str) -> None:
        """Begin the look-up in a thread that nobody waits for in the end."""
        self.domain = domain
        self.addresses: list[str] = []
        self.failure = f"the host's resolver does not answer within {NAME_SECONDS:.0f} s"
        self.thread = threading.Thread(target=self._resolve, daemon=True)
        self.thread.start()

    def _resolve(self) -> None:
        try:
            found = socket.getaddrinfo(self.domain, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self.failure = str(error)
        else:
            self.addresses = sorted({str(one[4][0]) for one in found})
            self.failure = ""

    def warning(self) -> str:
        """Say why visitors may not reach the host by the name, or nothing."""
        if self.domain.endswith(LOOPBACK_NAMES):
            return ""
        self.thread.join(NAME_SECONDS)
        if self.failure:
            return (
                f"DNS: stack_domain '{self.domain}' does not resolve from the host "
                f"({self.failure}). Visitors will not find it: make the record, or correct the "
                f"name."
            )
        if any(is_own(address) for address in self.addresses):
            return ""
        return (
            f"DNS: stack_domain '{self.domain}' leads to {', '.join(self.addresses)}, which is no "
            f"address of this host. That is right if a CDN, a load balancer or a provider's "
            f"address translation stands before it."
        )


def is_own(address: str) -> bool:
    """Tell whether an address is the host's: the kernel binds to no other."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


# versions ---------------------------------------------------------------------------------------


def version_refusals(*, engine: dict[str, Any], compose: str, traefik: str) -> list[str]:
    """Refuse versions that the roll was not made for, or that are not safe to stand in front."""
    found = []
    if older(engine["ApiVersion"], MINIMUM_API):
        found.append(
            f"Docker Engine {engine['Version']} (API {engine['ApiVersion']}) is too old: 25.0 (API "
            f"{dotted(MINIMUM_API)}) or newer is needed. Raise docker_version, or set "
            f"docker_source to docker, and provision."
        )
    if older(compose, MINIMUM_COMPOSE):
        found.append(
            f"The Docker Compose plug-in {compose.strip()} is too old: {dotted(MINIMUM_COMPOSE)} "
            f"or newer is needed. Set docker_source to docker, and provision."
        )
    if older(traefik, MINIMUM_TRAEFIK):
        found.append(
            f"Traefik {traefik} has known ways around its authentication and path rules: "
            f"{dotted(MINIMUM_TRAEFIK)} or newer is needed. Raise traefik_image, and provision."
        )
    return found


def older(text: str, minimum: Iterable[int]) -> bool:
    """Compare a version such as `v2.26.1-4`; one without numbers is somebody's own build."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text.strip())
    return found is not None and tuple(map(int, found.group(1).split("."))) < tuple(minimum)


def dotted(version: Iterable[int]) -> str:
    """Write a version as people do."""
    return ".".join(map(str, version))
