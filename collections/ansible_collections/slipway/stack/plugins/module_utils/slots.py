"""Traefik's slots: what is wanted in one, and what is there.

A host has two. One is active: the door leads to it. The other is empty, except while a flip brings
a new version or configuration into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.slipway.stack.plugins.module_utils import credentials, door
from ansible_collections.slipway.stack.plugins.module_utils.addresses import (
    DOOR_NETWORK,
    SLOTS,
    door_addresses,
    edge_attachments,
    slot_address,
)
from ansible_collections.slipway.stack.plugins.module_utils.definition import literal
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.proxy import TRAEFIK_GROUP

SLOT_LABEL = "io.slipway.traefik"
SERVICE = "traefik"
CONFIGURATION_LABEL = "io.slipway.configuration"
LOG_DIRECTORY = "/var/log/slipway/traefik"
# What the static configuration calls its slot's address on the door.
SLOT_NAME = "slot"
# Between the end that Traefik sets itself and the engine's kill.
STOP_MARGIN_SECONDS = 5


@dataclass(frozen=True)
class Wanted:
    """What is to run, in whichever slot: `static` is the text of the static configuration.

    `memory` is in Docker's words, `cpus` in cores, `grace` the seconds that Traefik itself gives
    to requests in flight when it stops. `acme` tells whether it gets certificates from a CA;
    `environment` holds no secret, `credentials` names the directory of those at a DNS provider.
    `subnet_v6` is the door's of IPv6, empty without IPv6.
    """

    image: str
    memory: str
    cpus: float
    grace: int
    static: str
    acme: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    credentials: str = ""
    subnet_v6: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash all of it: a container that carries the same needs no replacement."""
        shape = _container(self, "a", Path("/"), "10.0.0.2")
        content = json.dumps([asdict(self), shape], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Slots:
    """What is on the host: the active slot's name, its container, and those of other slots.

    `recorded` are the addresses that the record names, that of IPv4 first. Containers are as the
    engine inspects them. `led` tells whether the kernel leads visitors where the record says,
    `unjoined` are the edge networks that the active container is not on yet.
    """

    active: str
    recorded: tuple[str, ...]
    container: dict[str, Any] | None
    others: list[dict[str, Any]]
    led: bool
    unjoined: list[dict[str, str]]

    @property
    def address(self) -> str:
        """The active slot's IPv4 address, at which its API answers, too."""
        return self.recorded[0]

    @property
    def running(self) -> bool:
        """Whether somebody answers visitors."""
        return self.container is not None and bool(self.container["State"]["Running"])

    @property
    def idle(self) -> str:
        """The slot that visitors are not led to."""
        return next(name for name in SLOTS if name != self.active)

    def settled(self) -> bool:
        """Tell whether no earlier flip left anything to do."""
        return self.led and not self.others

    def has(self, wanted: Wanted, engine: Engine) -> bool:
        """Tell whether exactly this runs in the active slot."""
        if self.container is None or not self.running:
            return False
        found = (self.container["Config"]["Labels"] or {}).get(CONFIGURATION_LABEL)
        return found == wanted.fingerprint and not moved(self.container, wanted.image, engine)


def moved(container: Mapping[str, Any], image: str, engine: Engine) -> bool:
    """Tell whether the image's name means another image on this host than the container's."""
    status, found = engine.ask(f"/images/{quote(image)}/json")
    return status == 200 and found["Id"] != container["Image"]  # noqa: PLR2004


def look(engine: Engine, subnet: str) -> Slots:
    """Look at the host; `subnet` is the door's."""
    recorded = door.recorded()
    active = slot_of(recorded[0], subnet)
    found = {slot: engine.containers(SLOT_LABEL, slot) for slot in SLOTS}
    own = found[active]
    joined = own[0]["NetworkSettings"]["Networks"] if own else {}
    return Slots(
        active=active,
        recorded=recorded,
        container=own[0] if own else None,
        others=[one for slot in SLOTS if slot != active for one in found[slot]],
        led=door.led_to() == recorded,
        unjoined=[
            edge
            for edge in edge_attachments(engine.all_networks(), active)
            if own and edge["name"] not in joined
        ],
    )


def join(slots: Slots, engine: Engine) -> None:
    """Connect the active container, as it runs, to the edge networks that it is not on yet."""
    for edge in slots.unjoined:
        connect = ("network", "connect", "--ip", edge["ipv4_address"], edge["name"])
        engine.run(*connect, container_name(slots.active))


def slot_of(address: str, subnet: str) -> str:
    """Return the slot that an address of the door's subnet belongs to."""
    for slot in SLOTS:
        if slot_address(subnet, slot) == address:
            return slot
    raise ValueError(
        f"{door.RECORD} leads to {address}, which is no slot of network_door_subnet {subnet}. "
        f"It was edited by hand, or the variable was changed: give it its old value."
    )


def record_for(text: str, subnet: str, subnet_v6: str) -> str:
    """Return the record with the addresses that a slot has in these subnets of the door.

    `text` is the record that there is, empty where there is none; the slot stays the same, and is
    `a` at first.
    """
    slot = slot_of(door.named(text)[0], subnet) if text else "a"
    return door.record_text(door_addresses(subnet, subnet_v6, slot))


def acme_store(traefik: Path, slot: str) -> Path:
    """Name the file in which the Traefik of a slot keeps what a CA issued."""
    return traefik / slot / "acme" / "acme.json"


def container_name(slot: str) -> str:
    """Name the container of a slot."""
    return f"traefik-{slot}"


def slot_definition(
    wanted: Wanted, slot: str, traefik: Path, subnet: str, edges: Iterable[Mapping[str, str]]
) -> dict[str, Any]:
    """Build the compose file of a slot.

    `traefik` is the directory of Traefik's files on the host, `edges` what `edge_attachments` says.
    """
    addresses = door_addresses(subnet, wanted.subnet_v6, slot)
    by_family = zip(("ipv4_address", "ipv6_address"), addresses, strict=False)
    networks = {
        # The default route stays there: edge networks lead nowhere.
        DOOR_NETWORK: {**dict(by_family), "priority": 1000},
        **{edge["name"]: {"ipv4_address": edge["ipv4_address"]} for edge in edges},
    }
    container = {
        **_container(wanted, slot, traefik, addresses[0]),
        "labels": {SLOT_LABEL: slot, CONFIGURATION_LABEL: wanted.fingerprint},
        "networks": networks,
    }
    return {
        "name": container_name(slot),
        "services": {SERVICE: container},
        "networks": {name: {"external": True} for name in networks},
    }


def _container(wanted: Wanted, slot: str, traefik: Path, address: str) -> dict[str, Any]:
    """Return what a slot's container is, but for labels and networks."""
    mounts = {
        "/etc/traefik": (traefik / slot, True),
        "/etc/slipway/dynamic": (traefik / "dynamic", True),
        "/etc/slipway/certificates": (traefik / "certificates", True),
        "/var/log/traefik": (Path(LOG_DIRECTORY), False),
        **({"/var/lib/traefik": (acme_store(traefik, slot).parent, False)} if wanted.acme else {}),
    }
    if wanted.credentials:
        mounts[credentials.MOUNT] = (credentials.place(traefik, wanted.credentials), True)
    return {
        "container_name": container_name(slot),
        "image": literal(wanted.image),
        # Said outright: what an image starts without arguments differs.
        "command": ["--configFile=/etc/traefik/traefik.yml"],
        "environment": {
            # Where it opens a file for a body that is too large to collect, before it finds out.
            "TMPDIR": "/dev/shm",  # noqa: S108 - the container's own
            **{name: literal(value) for name, value in wanted.environment.items()},
        },
        "user": f"{TRAEFIK_GROUP}:{TRAEFIK_GROUP}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": wanted.memory,
        # No swap on top.
        "memswap_limit": wanted.memory,
        "cpus": wanted.cpus,
        "pids_limit": 512,
        "logging": {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}},
        # Only the active slot comes back at boot: the flip says which.
        "restart": "no",
        "stop_grace_period": f"{wanted.grace + STOP_MARGIN_SECONDS}s",
        "extra_hosts": {SLOT_NAME: address},
        "volumes": [
            {"type": "bind", "source": str(source), "target": target, "read_only": read_only}
            for target, (source, read_only) in mounts.items()
        ],
    }
