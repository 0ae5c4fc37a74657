"""What a release is made of: its compose file, as plain data; `routes.py` has its routes.

The functions are pure. They take the *model* (what the inventory says of the stack, see
`roles/stack/vars/main.yml`) and the *release* (what one deploy adds to it) and return dictionaries
that a template writes down. The same call with a placeholder release is what a release's
fingerprint is taken over, so nothing in here may depend on time or on the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.addresses import (
    bank_addresses,
    postgres_address,
)

# The defaults of a service; `roles/stack/meta/argument_specs.yml` documents each.
SERVICE_DEFAULTS: dict[str, Any] = {
    "port": None,
    "paths": ["/"],
    "probe": "",
    "domains": [],
    "health": {
        "path": "/",
        "host": "",
        "proto": "https",
        "start_timeout": 60,
        "interval": 2,
        "timeout": 3,
        "command": [],
    },
    "command": [],
    "environment": {},
    "secrets": [],
    "uid": None,
    "networks": ["app"],
    "volumes": {},
    "replicas": 1,
    "singleton": False,
    "memory": "256m",
    "cpus": 1.0,
    "pids": 256,
    "read_only": True,
    "tmpfs": ["/tmp"],  # noqa: S108 - a path inside the container
    "capabilities": [],
    "stop_signal": "",
    "stop_timeout": None,
}

# Weights beside all that wants a processor at the same time: Docker's own, and that of what has no
# visitors yet. An idle host gives either all they can use.
FULL_SHARES, YIELDING_SHARES = 1024, 128

COMMAND_DEFAULTS: dict[str, Any] = {
    "when": "before",
    "timeout": 600,
    "plan": [],
}
VOLUME_DEFAULTS: dict[str, Any] = {"scope": "stack", "from": {}}

STACK_LABEL = "io.slipway.stack"
RELEASE_LABEL = "io.slipway.release"
SERVICE_LABEL = "io.slipway.service"
PORT_LABEL = "io.slipway.port"  # of routed services only: where a drain looks for open connections
SINGLETON_LABEL = "io.slipway.singleton"  # of services only that never run twice, always "1"
# Between the end that an application sets itself and the engine's kill.
STOP_MARGIN_SECONDS = 5


@dataclass(frozen=True)
class Release:
    """What one deploy adds to the model.

    `bank` is the number of the bank of fixed addresses on the stack's edge network; `images` names
    an image by digest for each service. `taken_over` has the addresses of the routed services whose
    containers an earlier release brought.
    """

    id: str
    bank: int
    version: str
    images: dict[str, str]
    taken_over: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, release: dict[str, Any]) -> Release:
        """Read a release from what `release_plan` returned (further keys are left aside)."""
        return cls(
            id=release["id"],
            bank=release["bank"],
            version=release["version"],
            images=dict(release["images"]),
            taken_over={
                name: list(service["containers"].values())
                for name, service in release.get("services", {}).items()
                if service.get("home") and service["port"]
            },
        )


def project_name(stack: str, release_id: str) -> str:
    """Name the compose project of a release."""
    return f"{stack}-{release_id}"


def container_name(stack: str, release_id: str, service: str, replica: int) -> str:
    """Name one container of a release."""
    return f"{project_name(stack, release_id)}-{service}-{replica}"


def command_container(stack: str, release_id: str, command: str) -> str:
    """Name the container of one command of a release."""
    return f"{project_name(stack, release_id)}-{command}"


def service_with_defaults(service: dict[str, Any], size: dict[str, Any] | None) -> dict[str, Any]:
    """Fill in what the inventory left out; the environment's size beats the service's own."""
    filled = SERVICE_DEFAULTS | service | (size or {})
    filled["health"] = SERVICE_DEFAULTS["health"] | service.get("health", {})
    return filled


def services_of(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the model's services, complete, by name."""
    return {
        name: service_with_defaults(service, model["sizes"].get(name))
        for name, service in model["services"].items()
    }


def commands_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the model's commands, complete, in the order in which they run."""
    return [COMMAND_DEFAULTS | command for command in model["commands"]]


def volumes_of(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the model's volumes, complete, by name."""
    return {name: VOLUME_DEFAULTS | volume for name, volume in model["volumes"].items()}


def assets_of(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the volumes of scope assets by name: their `owner`, and `from`, empty or filled."""
    return {
        name: {"owner": volume["owner"], "from": volume["from"]}
        for name, volume in volumes_of(model).items()
        if volume["scope"] == "assets"
    }


def probe_path(service: dict[str, Any]) -> str | None:
    """Return the path by which a deploy proves that a service answers; None when not routed."""
    if not service["port"]:
        return None
    path: str = service["probe"] or service["paths"][0]
    return path


def stop_grace(model: dict[str, Any], service: dict[str, Any]) -> int:
    """Return the seconds between the stop signal and the kill, never less than the drain."""
    drain: int = model["drain_timeout"]
    return max(service["stop_timeout"] or 0, drain)


def image_reference(image: str, version: str) -> str:
    """Complete a repository with the stack's version; a reference with a tag or digest stays."""
    name = image.rsplit("/", 1)[-1]
    return image if ":" in name or "@" in name else f"{image}:{version}"


def replicas_of(
    model: dict[str, Any], bank: int, taken_over: Mapping[str, list[str]] | None = None
) -> Iterator[tuple[str, int, str | None]]:
    """Yield (service, replica, address) in a stable order; only routed services have an address."""
    addresses = iter(bank_addresses(model["subnet"], bank))
    given = {name: iter(found) for name, found in (taken_over or {}).items()}
    for name, service in sorted(services_of(model).items()):
        for replica in range(1, service["replicas"] + 1):
            own = next(addresses) if service["port"] else None
            yield name, replica, next(given[name]) if name in given else own


def compose_definition(model: dict[str, Any], release: Release) -> dict[str, Any]:
    """Build the compose file of a release.

    Every replica is a service entry of its own, because each has its own fixed address. Commands
    that run before the switch are one-shots that the services wait for, so that a plain
    `docker compose up` of the file is safe too; commands that run after it have a profile, so that
    it leaves them alone. What an earlier release brought is described here, too, but its containers
    are never made from this file.
    """
    services = services_of(model)
    commands = commands_of(model)
    first = [command["name"] for command in commands if command["when"] == "before"]
    entries: dict[str, Any] = {}
    for command in commands:
        name = command["service"]
        entries[command["name"]] = {
            **_container(model, release, name, services[name]),
            **_networks({network: {} for network in services[name]["networks"]}),
            "container_name": command_container(model["name"], release.id, command["name"]),
            "command": literal(command["command"]),
            "cpu_shares": YIELDING_SHARES,
            "restart": "no",
            **(
                _waits_for(_before(first, command["name"]))
                if command["when"] == "before"
                else {"profiles": ["after"]}
            ),
        }
    for name, replica, address in replicas_of(model, release.bank, release.taken_over):
        service = services[name]
        entry = _container(model, release, name, service)
        networks: dict[str, Any] = {network: {} for network in service["networks"]}
        if address:
            networks["edge"] = {"ipv4_address": address}
            entry["labels"][PORT_LABEL] = str(service["port"])
        if service["singleton"]:
            entry["labels"][SINGLETON_LABEL] = "1"
        entries[f"{name}-{replica}"] = {
            **entry,
            "container_name": container_name(model["name"], release.id, name, replica),
            **_networks(networks),
            "restart": "unless-stopped",
            **({"command": literal(service["command"])} if service["command"] else {}),
            **_healthcheck(service["health"]),
            **_waits_for(first[-1:]),
        }
    return {
        "name": project_name(model["name"], release.id),
        "services": entries,
        "networks": {
            network: {"name": f"{model['name']}-{network}", "external": True}
            for network in sorted(
                {n for entry in entries.values() for n in entry.get("networks", {})}
            )
        },
        "secrets": {
            f"{name}-{secret}": {"file": f"./secrets/{name}/{secret}"}
            for name, service in sorted(services.items())
            for secret in service["secrets"]
        },
    }


def _container(
    model: dict[str, Any], release: Release, name: str, service: dict[str, Any]
) -> dict[str, Any]:
    """Return what a service's own containers and its one-shot commands have in common."""
    grace = stop_grace(model, service)
    entry: dict[str, Any] = {
        "image": release.images[name],
        "environment": {
            key: literal(str(value))
            for key, value in {
                **model["environment"],
                **service["environment"],
                "SLIPWAY_RELEASE": release.id,
                "SLIPWAY_VERSION": release.version,
                "SLIPWAY_STOP_SECONDS": max(grace - STOP_MARGIN_SECONDS, 1),
                "SLIPWAY_PROXIES": 2 if model["edge"]["behind_cdn"] else 1,
            }.items()
        },
        "read_only": service["read_only"],
        "tmpfs": service["tmpfs"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": service["memory"],
        "cpus": service["cpus"],
        "pids_limit": service["pids"],
        "stop_grace_period": f"{grace}s",
        "labels": {
            STACK_LABEL: model["name"],
            RELEASE_LABEL: release.id,
            SERVICE_LABEL: name,
        },
    }
    if service["capabilities"]:
        entry["cap_add"] = service["capabilities"]
    if service["uid"] is not None:
        entry["user"] = f"{service['uid']}:{service['uid']}"
    if service["stop_signal"]:
        entry["stop_signal"] = service["stop_signal"]
    if service["secrets"]:
        entry["secrets"] = [
            {"source": f"{name}-{secret}", "target": secret} for secret in service["secrets"]
        ]
    if service["volumes"]:
        entry["volumes"] = [
            _volume(model, volume, mount) for volume, mount in sorted(service["volumes"].items())
        ]
    if "data" in service["networks"] and model["postgres"]:
        # By address: Docker's own names are not answered while the engine restarts.
        entry["extra_hosts"] = {"postgres": postgres_address(model["subnet"])}
    return entry


def _volume(model: dict[str, Any], volume: str, mount: str) -> dict[str, Any]:
    """Mount a directory of the stack or of the release.

    Of a volume of scope assets, a writer sees its own release's files, a reader all kept releases'.
    """
    target, _, mode = mount.partition(":")
    scope = volumes_of(model)[volume]["scope"]
    in_release = scope == "release" or (scope == "assets" and mode != "ro")
    return {
        "type": "bind",
        "source": ("." if in_release else model["directory"]) + f"/volumes/{volume}",
        "target": target,
        "read_only": mode == "ro",
    }


def _networks(networks: dict[str, Any]) -> dict[str, Any]:
    """Say so where a container has no network: Compose would make one for the project."""
    return {"networks": networks} if networks else {"network_mode": "none"}


def _healthcheck(health: dict[str, Any]) -> dict[str, Any]:
    """Give Docker a check where the application names a command; HTTP is asked from outside."""
    if not health["command"]:
        return {}
    return {
        "healthcheck": {
            "test": ["CMD", *literal(health["command"])],
            "interval": f"{health['interval']}s",
            "timeout": f"{health['timeout']}s",
            "start_period": f"{health['start_timeout']}s",
            # A deploy waits for the first good one only; each costs the host a process.
            "start_interval": "1s",
            "retries": 3,
        }
    }


def _before(names: list[str], name: str) -> list[str]:
    """Return the one that comes right before a name, if any."""
    position = names.index(name)
    return names[max(position - 1, 0) : position]


def _waits_for(names: list[str]) -> dict[str, Any]:
    if not names:
        return {}
    return {"depends_on": {name: {"condition": "service_completed_successfully"} for name in names}}


def literal(value: Any) -> Any:
    """Double every dollar sign: Compose would take it for the start of a variable."""
    if isinstance(value, list):
        return [literal(item) for item in value]
    return str(value).replace("$", "$$")
