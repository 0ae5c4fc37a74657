"""A host with two slots of Traefik, in memory; whoever changes it can be killed at any step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import door, flip, quic
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.flip import Flip, FlipJob
from ansible_collections.slipway.stack.plugins.module_utils.record import Report
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.slots import SLOT_LABEL, Wanted

from tests.unit.release.fakes import FakeTime

SUBNET = "10.213.0.0/24"
A, B = "10.213.0.2", "10.213.0.3"
SUBNET_V6 = "fd5c:1b0a:7e3d:d::/64"
A6, B6, OWN6 = (f"fd5c:1b0a:7e3d:d::{each}" for each in (2, 3, 1))
EDGE = {
    "Name": "shop-edge",
    "Labels": {"io.slipway.network": "edge"},
    "IPAM": {"Config": [{"Subnet": "10.213.4.0/24"}]},
}


class KilledError(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


def wanted(**changes: Any) -> Wanted:
    """Describe a Traefik."""
    values: dict[str, Any] = {
        "image": "traefik:v3.7.15",
        "memory": "512m",
        "cpus": 1.0,
        "grace": 30,
        "static": "a",
    }
    return Wanted(**(values | changes))


class Host(Engine):
    """The engine, the kernel's rules and both Traefiks of a host.

    `moments` lists the steps that change something; `last_moment` is the number of the step at
    which the process is killed. `bad` says why what is started does not serve, `ends` that it ends.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.time = FakeTime()
        self.there: dict[str, dict[str, Any]] = {}
        self.images = {"traefik:v3.7.15": "sha256:15"}
        self.networks = [EDGE]
        self.kernel: tuple[str, ...] = (A,)
        self.bad = ""
        self.ends = False
        self.open: dict[int, float] = {}
        self.moments: list[str] = []
        self.last_moment: int | None = None
        self.pids = 100
        self.stopped_open: list[str] = []
        self.http3: dict[str, float] = {}
        self.forgotten: list[Sequence[str]] = []
        for slot in ("a", "b"):
            (root / "traefik" / slot).mkdir(parents=True)
        (root / "traefik" / "dynamic").mkdir()
        (root / "stacks").mkdir()
        patch.setattr(door, "RECORD", root / "slot.nft")
        door.RECORD.write_text(door.record_text([A]))
        patch.setattr(door, "_nft", self.nft)
        patch.setattr(flip, "picture", self.picture)
        patch.setattr(flip, "certificates", lambda *_: {})
        patch.setattr(flip, "Proxy", Api)
        patch.setattr(flip, "open_connections", self.open_connections)
        patch.setattr(quic, "open_connections", self.open_http3)
        patch.setattr(quic, "forget", self.forgotten.append)
        patch.setattr(flip, "write_atomically", self.write)
        patch.setattr(flip, "publish_routes", self.write)
        patch.setattr(door, "write_atomically", self.write)

    # what the flip asks --------------------------------------------------------------------------

    def nft(self, *arguments: str) -> str:
        if arguments[0] == "--file":
            self.moment("load")
            self.kernel = door.recorded()
        if arguments[0] == "list":
            index = list(door.FAMILIES).index(arguments[2])
            return "".join(f"dnat to {each}" for each in self.kernel[index : index + 1])
        return ""

    def write(self, path: Path, text: str, **_: Any) -> None:
        self.moment(f"write {path.name}")
        path.write_text(text)

    def picture(self, proxy: Api) -> dict[str, Any]:
        name = "traefik-a" if proxy.address == A else "traefik-b"
        if name not in self.there or not self.there[name]["State"]["Running"]:
            raise ReleaseError("nobody answers")
        return {"http/routers shop": {"serves": "wrong" if self.there[name]["bad"] else "right"}}

    def open_connections(self, pid: int, port: int) -> int:
        return int(port == 443 and self.time.seconds < self.open.get(pid, 0.0))

    def open_http3(self, addresses: Sequence[str]) -> int:
        return sum(self.time.seconds < self.http3.get(each, 0.0) for each in addresses)

    # the engine ----------------------------------------------------------------------------------

    def run(self, *arguments: str, timeout: float = 120) -> str:  # noqa: ARG002
        verb, name = arguments[0], arguments[-1]
        self.moment(verb)
        if verb == "compose":
            self.create_from(Path(arguments[2]))
        elif verb == "network":
            container = self.there[name]["NetworkSettings"]["Networks"]
            container[arguments[4]] = {"IPAddress": arguments[3]}
        elif verb == "update":
            self.there[name]["HostConfig"]["Restart"] = arguments[1].removeprefix("--restart=")
        elif verb == "start":
            self.pids += 1
            self.there[name]["State"] = {"Running": not self.ends, "Pid": self.pids}
        elif verb == "stop":
            if any(self.open_connections(self.there[name]["State"]["Pid"], p) for p in (80, 443)):
                self.stopped_open.append(name)
            self.there[name]["State"]["Running"] = False
        elif verb == "rm":
            del self.there[name]
        return ""

    def start(self, container: str, timeout: float = 0) -> None:  # noqa: ARG002
        self.run("start", container)

    def stop(self, container: str, timeout: float) -> None:  # noqa: ARG002
        self.run("stop", container)

    def remove(self, container: str, *, volumes: bool = False) -> None:  # noqa: ARG002
        self.run("rm", container)

    def create_from(self, path: Path) -> None:
        definition = json.loads(path.read_text())
        service = definition["services"]["traefik"]
        name = service["container_name"]
        if name in self.there:
            return
        self.there[name] = {
            "Id": name,
            "Name": f"/{name}",
            "Image": self.images[service["image"]],
            "State": {"Running": False, "Pid": 0},
            "Config": {"Labels": service["labels"], "StopTimeout": 35},
            "HostConfig": {"Restart": service["restart"]},
            "NetworkSettings": {"Networks": dict(service["networks"])},
            "bad": self.bad,
        }

    def containers(self, label: str, value: str) -> list[dict[str, Any]]:
        return [one for one in self.there.values() if one["Config"]["Labels"].get(label) == value]

    def inspect(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [self.there[name] for name in names if name in self.there]

    def all_networks(self) -> list[dict[str, Any]]:
        return self.networks

    def has_image(self, reference: str) -> bool:
        return reference in self.images

    def pull(self, references: Sequence[str]) -> list[str]:
        for one in references:
            if one not in self.images:
                raise EngineError(f"'docker pull {one}' failed: no such image")
        return []

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:  # noqa: ARG002
        name = unquote(path.removeprefix("/images/").removesuffix("/json"))
        found = self.images.get(name)
        return (200, {"Id": found}) if found else (404, None)

    def logs(self, name: str, lines: int = 30) -> str:  # noqa: ARG002
        return "its last words"

    # what tests do -------------------------------------------------------------------------------

    def moment(self, name: str) -> None:
        if self.last_moment == len(self.moments):
            raise KilledError
        self.moments.append(name)

    def flip(self, target: Wanted, **changes: Any) -> Report:
        """Do what a provisioning would do."""
        values: dict[str, Any] = {
            "host_directory": str(self.root),
            "subnet": SUBNET,
            "wanted": target,
            "drain_timeout": 60,
            "probe_rate": 0,
            "lock_wait": 0,
        }
        job = FlipJob(**(values | changes))
        return Flip(job, self, say=lambda *_, **__: None, clock=self.time.clock()).run()

    def serving(self) -> str:
        """Return the slot that visitors reach; they must reach one that runs and is good."""
        slot = "a" if self.kernel[0] == A else "b"
        container = self.there[f"traefik-{slot}"]
        assert container["State"]["Running"]
        assert not container["bad"]
        return slot

    def at_boot(self) -> set[str]:
        """Return the slots that come back at boot by themselves."""
        return {
            one["Config"]["Labels"][SLOT_LABEL]
            for one in self.there.values()
            if one["HostConfig"]["Restart"] == "unless-stopped"
        }


class Api:
    """A Traefik's API, of which only the version matters here."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, _: str) -> dict[str, str]:
        return {"Version": "3.7.15"}
