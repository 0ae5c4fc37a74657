"""What a deploy would do: nothing, finish what another began, or roll a new release.

Read-only. Same means same: a release's fingerprint covers the digests of its images, its compose
file, its routes and, keyed, its secrets. A deploy of what serves already changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    RELEASE_LABEL,
    STACK_LABEL,
    Release,
    assets_of,
    compose_definition,
    container_name,
    image_reference,
    probe_path,
    replicas_of,
    services_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PLACEHOLDER_ID,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
    fingerprint,
    free_bank,
    new_id,
    utc_now,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    public_routes,
    router_names,
)

NOTHING, FINISH, ROLL = "none", "finish", "roll"


@dataclass(frozen=True)
class Plan:
    """The action, the release it is about, and the one that serves now."""

    action: str
    manifest: Manifest
    serving: str | None


def make_plan(
    directory: StackDirectory,
    engine: Engine,
    model: dict[str, Any],
    *,
    version: str,
    secrets: str,
    now: datetime,
) -> Plan:
    """Compare what the inventory wants with what serves; ReleaseError when it cannot be had."""
    serving_id = directory.serving()
    serving = directory.manifest(serving_id) if serving_id else None
    version = version or (serving.version if serving else "")
    if not version:
        raise ReleaseError(
            f"No version is known: {model['name']} has never been deployed to this host. Choose "
            f"one with -e stack_version=…, or set stack_version in the inventory."
        )
    images = resolve_images(model, version, engine)
    placeholder = Release(id=PLACEHOLDER_ID, bank=1, version=version, images=images)
    wanted = fingerprint(
        {
            "compose": compose_definition(model, placeholder),
            "routes": public_routes(model, placeholder),
            # Where an image has its files shows in no other file.
            "assets": {name: one["from"] for name, one in assets_of(model).items()},
        },
        secrets,
        directory.key.read_bytes(),
    )
    if serving and serving.fingerprint == wanted:
        complete = serving.outcome == SERVING and containers_are_right(serving, engine)
        return Plan(NOTHING if complete else FINISH, serving, serving_id)
    known = directory.manifests()
    release_id = new_id(wanted, now, [one.id for one in known])
    bank = free_bank([one.bank for one in known if one.outcome != FAILED])
    return Plan(
        ROLL,
        Manifest(
            id=release_id,
            stack=model["name"],
            version=version,
            fingerprint=wanted,
            bank=bank,
            images=images,
            services=manifest_services(model, release_id, bank),
            routers=router_names(model),
            created=utc_now(),
            domain=model["domain"],
            assets=assets_of(model),
        ),
        serving_id,
    )


def resolve_images(model: dict[str, Any], version: str, engine: Engine) -> dict[str, str]:
    """Return each service's image by digest, asking the registry once for each reference."""
    references = {
        name: image_reference(service["image"], version)
        for name, service in services_of(model).items()
    }
    platform = engine.platform()
    digests: dict[str, str] = {}
    for name, reference in sorted(references.items()):
        if reference in digests:
            continue
        try:
            digests[reference] = engine.resolve(reference, platform)
        except EngineError as error:
            raise ReleaseError(
                f"The image of stack_services.{name} cannot be had: {error}\n"
                f"Check stack_version ('{version}') and stack_services.{name}.image, that the "
                f"image was pushed, and docker_registries if the registry asks for a login."
            ) from error
    return {name: digests[reference] for name, reference in references.items()}


def manifest_services(model: dict[str, Any], release_id: str, bank: int) -> dict[str, Any]:
    """Say what the roll has to know of each service: questions, containers and addresses."""
    services: dict[str, Any] = {
        name: {
            "port": service["port"],
            "domain": (service["domains"] or [model["domain"]])[0],
            "probe": probe_path(service),
            "singleton": service["singleton"],
            "health": {**service["health"], "host": service["health"]["host"] or model["domain"]},
            "containers": {},
        }
        for name, service in services_of(model).items()
    }
    for name, replica, address in replicas_of(model, bank):
        container = container_name(model["name"], release_id, name, replica)
        services[name]["containers"][container] = address
    return services


def containers_are_right(serving: Manifest, engine: Engine) -> bool:
    """Tell whether all containers of the serving release run, and none of another exists."""
    names = {name for service in serving.services.values() for name in service["containers"]}
    found = engine.containers(STACK_LABEL, serving.stack)
    running = {
        container["Name"].lstrip("/") for container in found if container["State"]["Running"]
    }
    strangers = [
        container
        for container in found
        if container["Config"]["Labels"].get(RELEASE_LABEL) != serving.id
    ]
    return names <= running and not strangers


def unprovisioned(
    directory: StackDirectory, engine: Engine, ask_proxy: Callable[[], Any]
) -> list[str]:
    """List what `provision` has not made on this host yet."""
    missing = [] if directory.key.exists() else [f"{directory.key} is missing"]
    if not directory.root.is_dir():
        missing.append(f"{directory.root} is missing")
    try:
        networks = engine.run("network", "ls", "--format={{.Name}}").split()
    except EngineError as error:
        return [*missing, str(error)]
    missing += [
        f"network {directory.stack}-{kind} is missing"
        for kind in ("edge", "app", "data")
        if f"{directory.stack}-{kind}" not in networks
    ]
    try:
        ask_proxy()
    except ReleaseError as error:
        missing.append(str(error))
    return missing
