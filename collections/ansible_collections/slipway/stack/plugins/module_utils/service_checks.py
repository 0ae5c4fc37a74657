"""What must fit together in the services, their commands and their volumes.

One small function for each rule. Each reads sound values only and never repeats a problem that is
known already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import formats
from ansible_collections.slipway.stack.plugins.module_utils.problems import (
    Problem,
    Values,
    near,
    numbered,
)

MOST_ROUTED_REPLICAS = 16
"""A release has a bank of 16 fixed addresses, one per routed container."""


def _files(values: Values) -> Iterator[Problem]:
    """Want the secrets and volumes that services name to exist."""
    secrets, volumes = values.names("stack_secrets"), values.names("stack_volumes")
    for name, service in values.services.items():
        path = f"stack_services.{name}"
        for index, secret in numbered(service["secrets"]):
            if secrets is not None and secret not in secrets:
                yield _unknown_name(f"{path}.secrets[{index}]", secret, "stack_secrets", secrets)
        for volume in service["volumes"]:
            if volumes is not None and volume not in volumes:
                yield _unknown_name(f"{path}.volumes.{volume}", volume, "stack_volumes", volumes)


def _service_names(values: Values) -> Iterator[Problem]:
    """Want the services that commands and sizes name to exist."""
    services = values.names("stack_services")
    if services is None:
        return
    for index, command in values.items("stack_commands"):
        service = command.get("service")
        if service is not None and service not in services:
            path = f"stack_commands[{index}].service"
            yield _unknown_name(path, service, "stack_services", services)
    for name in values.mapping("stack_sizes"):
        if name not in services:
            yield _unknown_name(f"stack_sizes.{name}", name, "stack_services", services)


def _unknown_name(path: str, name: str, variable: str, known: Sequence[str]) -> Problem:
    cure = f"Add it there or correct the name.{near(name, known)}"
    return Problem(path, f"{name} is not in {variable}", cure)


def _owners(values: Values) -> Iterator[Problem]:
    """Want a uid where a service reads files that must be its own."""
    for name, service in values.services.items():
        path = f"stack_services.{name}.uid"
        has = [what for what in ("secrets", "volumes") if service[what]]
        if has and "uid" not in service and not values.broken(path):
            wrong = f"is missing, and the service has {' and '.join(has)}"
            yield Problem(path, wrong, "Give it the numeric user id that the image runs as.")


def _commands(values: Values) -> Iterator[Problem]:
    """Want names of commands to differ, since they are names of containers."""
    services = values.names("stack_services") or []
    seen: set[str] = set()
    for index, command in values.items("stack_commands"):
        name = command.get("name")
        path = f"stack_commands[{index}].name"
        if name in services:
            yield Problem(path, f"{name} is a service as well", "Give the command another name.")
        elif name is not None and name in seen:
            yield Problem(path, f"{name} is taken by another command", "Give it another name.")
        seen.add(name)


def _routes(values: Values) -> Iterator[Problem]:
    """Want a service that answers visitors, and no two on the same path of a domain."""
    routed = {name: service for name, service in values.services.items() if "port" in service}
    if "stack_services" in values.sound and not routed and not values.broken("stack_services"):
        cure = "Give the one that answers visitors its port."
        yield Problem("stack_services", "has no service with a port", cure)
    own = _own_domains(values)
    taken: dict[tuple[str, str], str] = {}
    for name, service in routed.items():
        where = f"stack_services.{name}"
        if values.broken(f"{where}.paths") or values.broken(f"{where}.domains"):
            continue
        for index, path in enumerate(service["paths"]):
            places = [(domain, path.rstrip("/")) for domain in service["domains"] or own]
            others = [taken[place] for place in places if place in taken]
            if others:
                yield Problem(
                    f"{where}.paths[{index}]",
                    f"{path} is answered by {others[0]} already",
                    "Give each service its own paths, or its own domains.",
                )
            taken.update({place: name for place in places if place not in taken})


def _own_domains(values: Values) -> list[Any]:
    return [values.sound.get("stack_domain"), *values.sound.get("stack_domain_aliases", [])]


def _workers(values: Values) -> Iterator[Problem]:
    """Refuse what belongs to routing where there is no port."""
    for name, service in values.mapping("stack_services").items():
        path = f"stack_services.{name}"
        if "port" in service or values.broken(f"{path}.port"):
            continue
        for what in ("paths", "domains", "probe"):
            if service.get(what):
                cure = f"Give the service its port, or take {what} out."
                yield Problem(f"{path}.{what}", "has no use without a port", cure)
        health = service.get("health")
        if health and not health.get("command") and not values.broken(f"{path}.health"):
            cure = "Give the service its port, or health.command."
            yield Problem(f"{path}.health", "has no use without a port", cure)


def _probes(values: Values) -> Iterator[Problem]:
    """Want a deploy to ask a path that this very service answers."""
    routed = {name: each for name, each in values.services.items() if "port" in each}
    if any(values.broken(f"stack_services.{name}.paths") for name in routed):
        return
    own = _own_domains(values)
    for name, service in routed.items():
        if not service["probe"]:
            continue
        path = service["probe"].partition("?")[0]
        where = f"stack_services.{name}.probe"
        if not _reach(path, service):
            wrong = f"{service['probe']} is below none of the service's paths"
            yield Problem(where, wrong, f"Take a path below {' or '.join(service['paths'])}.")
            continue
        domain = (service["domains"] or own)[0]
        reaches = {
            other: _reach(path, each)
            for other, each in routed.items()
            if domain in (each["domains"] or own)
        }
        nearest = max(reaches, key=lambda other: reaches[other])
        if nearest != name:
            wrong = f"{service['probe']} is answered by {nearest}"
            yield Problem(where, wrong, f"Take a path that {name} answers.")


def _reach(path: str, service: Mapping[str, Any]) -> int:
    """Return the length of the longest prefix of a service that a path is below, 0 if of none."""
    prefixes = [prefix.rstrip("/") for prefix in service["paths"] if prefix is not None]
    return max((len(one) + 1 for one in prefixes if f"{path}/".startswith(f"{one}/")), default=0)


def _singletons(values: Values) -> Iterator[Problem]:
    """Refuse what would make a service run twice that must not."""
    sizes = values.mapping("stack_sizes")
    for name, service in values.services.items():
        if not service["singleton"]:
            continue
        if "port" in service:
            wrong = "is true, and the service has a port"
            cure = "Take one of them out: a service that visitors reach runs twice while it rolls."
            yield Problem(f"stack_services.{name}.singleton", wrong, cure)
        if service["replicas"] > 1:
            where = "stack_sizes" if "replicas" in sizes.get(name, {}) else "stack_services"
            wrong = f"is {service['replicas']}, and the service is a singleton"
            cure = f"Make it 1, or take stack_services.{name}.singleton out."
            yield Problem(f"{where}.{name}.replicas", wrong, cure)


def _sources(values: Values) -> Iterator[Problem]:
    """Want an image to copy a volume's files from, and only where each release has its own."""
    services = values.names("stack_services")
    for name, volume in values.mapping("stack_volumes").items():
        path = f"stack_volumes.{name}"
        source = volume.get("from")
        if not source:
            continue
        if volume.get("scope", "stack") != "assets" and not values.broken(f"{path}.scope"):
            wrong = "has no use with another scope than assets"
            yield Problem(f"{path}.from", wrong, "Make the volume's scope assets, or take it out.")
        service = source.get("service")
        if services is not None and service is not None and service not in services:
            yield _unknown_name(f"{path}.from.service", service, "stack_services", services)


def _replicas(values: Values) -> Iterator[Problem]:
    """Want as many routed containers as a release has addresses, or fewer."""
    if values.broken("stack_sizes"):
        return
    services = values.services
    routed = {name: each["replicas"] for name, each in services.items() if "port" in each}
    total = sum(routed.values())
    if total > MOST_ROUTED_REPLICAS:
        sizes = values.mapping("stack_sizes")
        first = max(routed, key=lambda name: routed[name])
        where = "stack_sizes" if "replicas" in sizes.get(first, {}) else "stack_services"
        yield Problem(
            f"{where}.{first}.replicas",
            f"services with a port have {total} replicas in all",
            f"Take some away, a release has room for {MOST_ROUTED_REPLICAS}.",
        )


def _stop_timeouts(values: Values) -> Iterator[Problem]:
    """Want services to outlast the drain, or they lose requests."""
    drain = values.sound.get("stack_drain_timeout")
    for name, service in values.mapping("stack_services").items():
        timeout = service.get("stop_timeout")
        if drain is not None and timeout is not None and timeout < drain:
            yield Problem(
                f"stack_services.{name}.stop_timeout",
                f"is {timeout} seconds, shorter than stack_drain_timeout, which is {drain}",
                f"Make it {drain} or more, or take the line out.",
            )


def _environment(values: Values) -> Iterator[Problem]:
    """Refuse the variables that Slipway sets itself."""
    places = {"stack_environment": values.mapping("stack_environment")}
    for name, service in values.mapping("stack_services").items():
        places[f"stack_services.{name}.environment"] = service.get("environment", {})
    for place, environment in places.items():
        for name in (
            "SLIPWAY_RELEASE",
            "SLIPWAY_VERSION",
            "SLIPWAY_STOP_SECONDS",
            "SLIPWAY_PROXIES",
        ):
            if name in environment:
                yield Problem(f"{place}.{name}", "is set by Slipway", "Take the line out.")


def _secret_files(values: Values) -> Iterator[Problem]:
    """Refuse to point a service at a secret that it does not have."""
    for name, service in values.services.items():
        for variable, value in service["environment"].items():
            secret = value.removeprefix("/run/secrets/")
            path = f"stack_services.{name}.environment.{variable}"
            if secret not in (value, *service["secrets"]) and not values.broken(
                f"stack_services.{name}.secrets"
            ):
                wrong = (
                    f"points at {formats.quote(secret)}, a secret that the service does not have"
                )
                yield Problem(path, wrong, f"Add it to stack_services.{name}.secrets.")


def _mounts(values: Values) -> Iterator[Problem]:
    """Refuse to mount one thing over another."""
    for name, service in values.services.items():
        taken = {path.partition(":")[0]: "tmpfs" for _, path in numbered(service["tmpfs"])}
        for volume, mount in service["volumes"].items():
            path = f"stack_services.{name}.volumes.{volume}"
            target = mount.removesuffix(":ro")
            if f"{target}/".startswith("/run/secrets/"):
                cure = "Mount the volume elsewhere, the secrets are there."
                yield Problem(path, f"{target} is taken", cure)
            elif target in taken:
                cure = "Mount the volume elsewhere."
                yield Problem(path, f"{target} is taken by {taken[target]}", cure)
            taken[target] = volume


SERVICE_CHECKS = (
    _files,
    _service_names,
    _owners,
    _commands,
    _routes,
    _workers,
    _probes,
    _singletons,
    _sources,
    _replicas,
    _stop_timeouts,
    _environment,
    _secret_files,
    _mounts,
)
