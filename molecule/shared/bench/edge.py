"""Traefik on a test host: its slots, the flips between them, and who uses the site meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import engine
from bench.asking import Record, Settings
from bench.engine import client
from bench.load import Running
from bench.playbooks import Environment, Run
from bench.shell import BenchError
from bench.site import Progress, Site

SITE: Final = Site(
    Environment(("inventories/production", "molecule/inventory/edge")),
    stack="production",
    domain="yourdomain.com",
    port=8531,
    container="slipway-bench-edge",
)
VERSION: Final = "/api/version"
JOBS: Final = "/srv/slipway/traefik/jobs"
ADDRESSES: Final = {
    "10.213.0.2": "a",
    "10.213.0.3": "b",
    "fd5c:1b0a:7e3d:d::2": "a",
    "fd5c:1b0a:7e3d:d::3": "b",
}
IMAGES: Final = {
    "3.7.15": "traefik:v3.7.15",
    "3.7.13": "registry.slipway.test:5000/traefik/traefik:3.7.13",
}
# Connections end soon, so that a replaced slot is empty soon; limits on the tests' time only.
SHORT: Final[dict[str, Any]] = {
    "traefik_options": {
        "entryPoints": {
            name: {"transport": {"keepAliveMaxTime": "2s"}} for name in ("web", "websecure")
        }
    }
}


@dataclass(frozen=True)
class Edge:
    """Traefik on the test host: its slots, and the flips between them."""

    site: Site

    def change(self, *options: str, **variables: Any) -> Run:
        """Run the shipped provisioning with some variables of the inventory changed."""
        return self.site.environment.playbook("playbooks/provision.yml", *options, **variables)

    @property
    def recorded(self) -> str:
        """The slot that the record names."""
        return ADDRESSES[self._address("cat", "/etc/slipway/slot.nft")]

    @property
    def active(self) -> str:
        """The slot that the kernel leads visitors to."""
        return self.led("ip")

    def led(self, family: str) -> str:
        """Return the slot that the kernel leads visitors of a family to, in nftables' words."""
        return ADDRESSES[self._address("nft", "list", "chain", family, "slipway", "prerouting")]

    def slots(self) -> dict[str, str]:
        """Return when the container of each slot started, for those that exist."""
        ids = self.site.run("docker", "ps", "-aq", "--filter", "label=io.slipway.traefik").split()
        found = json.loads(self.site.run("docker", "inspect", *ids)) if ids else []
        return {
            one["Config"]["Labels"]["io.slipway.traefik"]: one["State"]["StartedAt"]
            for one in found
        }

    def version(self) -> str:
        """Return what the active slot says that it is."""
        address = next(one for one, slot in ADDRESSES.items() if slot == self.active)
        ask = (
            f"import urllib.request as u; print(u.urlopen('http://{address}:8080{VERSION}').read())"
        )
        found = re.search(r'"Version":"([0-9.]+)"', self.site.run("python3", "-c", ask))
        assert found  # noqa: S101 - for the types
        return found.group(1)

    def jobs(self) -> list[str]:
        """Return the names of the flips, the oldest first."""
        return sorted(
            self.site.run(
                "find", JOBS, "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\n"
            ).split()
        )

    def report(self) -> str:
        """Say how the newest flip ended: its phases, and what the prober counted."""
        result = json.loads(self.site.run("cat", f"{JOBS}/{self.jobs()[-1]}/result.json"))
        report = result["report"]
        phases = ", ".join(f"{phase} {took:.1f}" for phase, took in report["seconds"].items())
        probe = report["probe"]
        return (
            f"{report['old']} → {report['new']} ({report['version']}): {phases}; "
            f"probed {probe['asked']}, lost {probe['lost']}"
        )

    def progress(self, job: str) -> Progress:
        """Return how far a flip is; it may not have begun."""
        text = self.site.run(
            "find", f"{JOBS}/{job}", "-name", "progress.jsonl", "-exec", "cat", "{}", ";"
        )
        return Progress(
            [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        )

    def _address(self, *command: str) -> str:
        found = re.search("|".join(map(re.escape, ADDRESSES)), self.site.run(*command))
        assert found  # noqa: S101 - for the types
        return found.group()


# Runs on the host: from here a look takes longer than most phases.
KILLER: Final = """
import json, pathlib, subprocess, sys, time
jobs, phase, end = pathlib.Path(sys.argv[1]), sys.argv[2], time.monotonic() + 240
known = set(jobs.iterdir())
print("watching", flush=True)
while time.monotonic() < end:
    for job in set(jobs.iterdir()) - known:
        try:
            lines = (job / "progress.jsonl").read_text().splitlines()
        except FileNotFoundError:
            continue
        if any(f'"phase": "{phase}", "event": "begin"' in line for line in lines):
            unit = f"slipway-flip-{job.name}.service"
            subprocess.run(["systemctl", "kill", "--signal=KILL", unit], check=True)
            sys.exit()
    time.sleep(0.002)
sys.exit("no flip came so far")
"""


@contextmanager
def killed_at(edge: Edge, phase: str) -> Iterator[None]:
    """Have the process of the flip that the block starts killed when a phase of it begins."""
    command = [client(), "exec", edge.site.container, "python3", "-c", KILLER, JOBS, phase]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killer:
        assert killer.stdout  # noqa: S101 - for the types
        killer.stdout.readline()
        yield
        if killer.wait() != 0:
            raise BenchError(f"No process was killed in phase {phase}")


@dataclass
class Visited:
    """What came of a load."""

    records: list[Record]

    @property
    def lost(self) -> list[Record]:
        """The questions without a good answer."""
        return [one for one in self.records if one.lost]


@contextmanager
def visited(folder: Path, *, rate: float, address: str = "") -> Iterator[Visited]:
    """Have visitors use the site while the block runs: pages, API, writes, slow answers, over TLS.

    Half of the questions come on new connections, and nothing is asked twice. They come by the
    host's address on the bench's network if no other is given.
    """
    settings = Settings(
        port=443,
        address=address or engine.address(SITE.container),
        domain=SITE.domain,
        rate=rate,
        seconds=1800,
    )
    found = Visited([])
    running = Running(settings, folder)
    try:
        yield found
    finally:
        found.records = running.end()
