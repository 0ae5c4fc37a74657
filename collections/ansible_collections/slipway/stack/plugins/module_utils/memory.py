"""Memory: whether the host has room for two releases side by side."""

from __future__ import annotations

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import services_of
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest

MEMINFO = Path("/proc/meminfo")
# Room for what a fresh container needs beyond what the serving one uses now.
GROWTH = 1.25
QUESTIONS = 4  # to the engine at the same time
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
UNITS = {"k": KIB, "m": MIB, "g": GIB}


@dataclass(frozen=True)
class Need:
    """The memory in bytes that one new container is counted with, beside its predecessor."""

    service: str
    size: int


def size(text: str) -> int:
    """Read an amount such as `256m`, in bytes."""
    return int(text[:-1]) * UNITS[text[-1]]


def readable(amount: int) -> str:
    """Write an amount of bytes as people do."""
    return f"{amount / GIB:.1f} GiB" if amount >= GIB else f"{amount / MIB:.0f} MiB"


def memory_used(engine: Engine, containers: list[dict[str, Any]]) -> dict[str, int]:
    """Ask what each running container uses, in bytes by its name; what is not known is left out."""
    running = {
        container["Names"][0].lstrip("/"): container["Id"]
        for container in containers
        if container["State"] == "running"
    }
    with ThreadPoolExecutor(QUESTIONS) as pool:
        found = pool.map(lambda container: _working_set(engine, container), running.values())
        return {name: used for name, used in zip(running, found, strict=True) if used}


def _working_set(engine: Engine, container: str) -> int:
    """Return what a container cannot give back, as `docker stats` shows it; 0 when not known.

    The engine reads it from either version of cgroups, which name the file cache differently.
    """
    status, answer = engine.ask(f"/containers/{container}/stats?stream=false&one-shot=true")
    memory = answer.get("memory_stats", {}) if status == http.client.OK else {}
    figures = memory.get("stats", {})
    cache = figures.get("total_inactive_file", figures.get("inactive_file", 0))
    return max(int(memory.get("usage", 0)) - int(cache), 0)


def needs(model: dict[str, Any], serving: Manifest | None, used: dict[str, int]) -> list[Need]:
    """Say what each new container will take beside the old ones.

    That is its limit, or what its predecessor uses now and a quarter more if that is less. A
    singleton takes the place of its predecessor instead of running beside it.
    """
    found = []
    for name, service in sorted(services_of(model).items()):
        limit = size(service["memory"])
        there = serving.services.get(name, {"containers": {}})["containers"] if serving else {}
        before = {
            replica: used[container]
            for replica, container in enumerate(there, 1)
            if replica <= service["replicas"] and container in used
        }
        if service["singleton"] and before:
            continue
        for replica in range(1, service["replicas"] + 1):
            like = before.get(replica, max(before.values(), default=0))
            found.append(Need(name, min(limit, int(GROWTH * like)) if like else limit))
    return found


def memory_refusal(wanted: list[Need], meminfo: str) -> str:
    """Refuse when there is no room for both releases side by side."""
    total, available = sum(one.size for one in wanted), _meminfo(meminfo, "MemAvailable")
    if total <= available:
        return ""
    return (
        f"Memory: while both releases run, the new one takes about {readable(total)} "
        f"({_by_service(wanted)}), but {readable(available)} are available on the host. "
        f"A container is counted with {GROWTH} times what the serving one uses now, its limit at "
        f"most. Give the host more memory, or lower replicas or memory in stack_sizes."
    )


def memory_warning(wanted: list[Need], meminfo: str) -> str:
    """Warn before a first deploy when the limits promise more than the host has."""
    total, there = sum(one.size for one in wanted), _meminfo(meminfo, "MemTotal")
    if total <= there:
        return ""
    return (
        f"Memory: the limits of all containers add up to {readable(total)} "
        f"({_by_service(wanted)}), but the host has {readable(there)}. If they use it all, the "
        f"kernel ends some of them: lower replicas or memory in stack_sizes."
    )


def _by_service(wanted: list[Need]) -> str:
    sizes: dict[str, int] = {}
    for one in wanted:
        sizes[one.service] = sizes.get(one.service, 0) + one.size
    return ", ".join(f"{name} {readable(amount)}" for name, amount in sizes.items())


def _meminfo(text: str, name: str) -> int:
    """Read a line of /proc/meminfo, such as `MemTotal: 16310512 kB`, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * KIB if found else 0
