"""What a deploy would do: nothing, finish what another began, or roll a new release.

Read-only. Same means same: a release's fingerprint covers the digests of its images, its compose
file, its routes and, keyed, its secrets. A deploy of what serves already changes nothing.

A rotation makes a release of the same images and files with other secrets. It asks no registry, and
takes over the containers of the services whose secrets are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import freeze
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    RELEASE_LABEL,
    STACK_LABEL,
    Release,
    assets_of,
    commands_of,
    compose_definition,
    container_name,
    probe_path,
    replicas_of,
    services_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.files import read_secrets
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    OvertakenError,
    older_run_refusal,
)
from ansible_collections.slipway.stack.plugins.module_utils.preflight import Findings, problems
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.registry import (
    ImagesUnavailable,
    resolve_images,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PLACEHOLDER_ID,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
    definition_of,
    fingerprint,
    free_bank,
    new_id,
    utc_now,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    public_routes,
    router_names,
)
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import (
    readers_of_change,
    secrets_on_host,
)
from ansible_collections.slipway.stack.plugins.module_utils.signatures import doubts
from ansible_collections.slipway.stack.plugins.module_utils.unit import running

NOTHING, FINISH, ROLL, FOLLOW = "none", "finish", "roll", "follow"


@dataclass(frozen=True)
class Plan:
    """The action, the release it is about, the one that serves now, and the job to follow."""

    action: str
    manifest: Manifest
    serving: str | None
    job: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What somebody wants deployed, and what may not stand in the way; as the role's variables."""

    directory: StackDirectory
    model: dict[str, Any]
    version: str
    secrets: str
    actor: dict[str, Any]
    min_free_disk: str
    ignore_freeze: bool = False
    allow_older_run: bool = False
    digests: dict[str, str] = field(default_factory=dict)
    verify_keys: list[str] = field(default_factory=list)
    rotate: bool = False


def plan_deploy(wish: Wish, engine: Engine, proxy: Proxy, now: datetime) -> Plan:
    """Make the plan, with its warnings; ReleaseError has all refusals at once.

    It is an OvertakenError when one of them is that a newer run of the pipeline came first.
    """
    directory = wish.directory
    if missing := unprovisioned(directory, engine, lambda: proxy.get("/api/version")):
        raise ReleaseError(
            f"This host is not provisioned for the stack '{directory.stack}': "
            f"{'; '.join(missing)}.\nRun the playbook provision with the same inventory first: "
            f"ansible-playbook playbooks/provision.yml -i <inventory>"
        )
    serving_id = directory.serving()
    serving = directory.manifest(serving_id) if serving_id else None
    plan, refusals = None, []
    try:
        plan = make_plan(
            directory,
            engine,
            wish.model,
            version=wish.version,
            secrets=wish.secrets,
            actor=wish.actor,
            now=now,
            digests=wish.digests,
            rotate=wish.rotate,
        )
    except ImagesUnavailable as error:
        refusals = error.problems
    if plan and plan.action in {NOTHING, FOLLOW}:
        return plan
    run_number = wish.actor.get("run_number") or 0
    overtaken = older_run_refusal(serving, run_number, allow=wish.allow_older_run)
    refusals += filter(None, (freeze.refusal(directory, ignore=wish.ignore_freeze), overtaken))
    # What a rotation starts serves already; asking for its signatures would ask the registry.
    if plan and plan.action == ROLL and not overtaken and not wish.rotate:
        refusals += doubts(
            wish.model,
            plan.manifest.version,
            plan.manifest.images,
            engine,
            keys=wish.verify_keys,
            digests=wish.digests,
        )
    found = Findings()
    if not plan or plan.action == ROLL:
        found = problems(
            directory,
            engine,
            proxy,
            model=wish.model,
            serving=serving,
            containers=stack_containers(engine, directory.stack),
            min_free_disk=wish.min_free_disk,
            starting=starting(plan.manifest) if plan else set(wish.model["services"]),
        )
    refusals += found.refusals
    if refusals or not plan:
        raise (OvertakenError if overtaken else ReleaseError)(
            "\n- ".join(["This deploy is refused; nothing was changed:", *refusals])
            + f"\n{serving_id or 'No release'} serves."
        )
    return replace(plan, warnings=tuple(found.warnings))


def make_plan(
    directory: StackDirectory,
    engine: Engine,
    model: dict[str, Any],
    *,
    version: str,
    secrets: str,
    actor: dict[str, Any],
    now: datetime,
    digests: Mapping[str, str] = MappingProxyType({}),
    rotate: bool = False,
) -> Plan:
    """Compare what the inventory wants with what serves; ReleaseError when it cannot be had.

    The actor is not part of what is compared: it makes no difference to what runs.
    """
    serving_id = directory.serving()
    serving = directory.manifest(serving_id) if serving_id else None
    values = read_secrets(secrets)
    if rotate:
        version, images, definition = same_but_for_secrets(model, serving)
    else:
        version = version or (serving.version if serving else "")
        if not version:
            raise ReleaseError(
                f"No version is known: {model['name']} has never been deployed to this host. "
                f"Choose one with -e stack_version=…, or set stack_version in the inventory."
            )
        images = resolve_images(model, version, engine, engine.platform(), digests)
        definition = definition_with(model, version, images)
    wanted = fingerprint(definition, values, directory.key.read_bytes())
    if found := running(directory, lambda one: one.fingerprint == wanted):
        job, coming = found
        return Plan(FOLLOW, coming, serving_id, job)
    if serving and serving.fingerprint == wanted:
        containers = stack_containers(engine, serving.stack)
        ended = serving.outcome == SERVING and not serving.pending
        complete = ended and containers_are_right(serving, containers)
        return Plan(NOTHING if complete else FINISH, serving, serving_id)
    known = directory.manifests()
    release_id = new_id(wanted, now, [one.id for one in known])
    bank = free_bank([one.bank for one in known if one.outcome != FAILED])
    services = manifest_services(model, release_id, bank)
    if rotate and serving:
        changed = readers_of_change(secrets_on_host(directory, serving), values)
        services |= taken_over(serving, services, changed, stack_containers(engine, serving.stack))
    return Plan(
        ROLL,
        Manifest(
            id=release_id,
            stack=model["name"],
            version=version,
            fingerprint=wanted,
            bank=bank,
            images=images,
            services=services,
            routers=router_names(model),
            created=utc_now(),
            domain=model["domain"],
            assets=assets_of(model),
            actor=actor,
            pending=[one["name"] for one in commands_of(model) if one["when"] == "after"],
            definition=definition,
        ),
        serving_id,
    )


def definition_with(model: dict[str, Any], version: str, images: dict[str, str]) -> str:
    """Hash what a release of these images would be, besides its secrets."""
    placeholder = Release(id=PLACEHOLDER_ID, bank=1, version=version, images=images)
    return definition_of(
        {
            "compose": compose_definition(model, placeholder),
            "routes": public_routes(model, placeholder),
            # Where an image has its files shows in no other file.
            "assets": {name: one["from"] for name, one in assets_of(model).items()},
        }
    )


def same_but_for_secrets(
    model: dict[str, Any], serving: Manifest | None
) -> tuple[str, dict[str, str], str]:
    """Return version, images and definition that serve; ReleaseError when the model differs."""
    if not serving:
        raise ReleaseError(
            f"Nothing serves in the stack '{model['name']}' on this host, so there are no secrets "
            f"to rotate. Deploy: ansible-playbook deploy.yml -i <inventory>"
        )
    if model["services"].keys() == serving.images.keys():
        definition = definition_with(model, serving.version, serving.images)
        if definition == serving.definition:
            return serving.version, serving.images, definition
    why = (
        "More than secrets differs from what serves"
        if serving.definition
        else "The release that serves was made by an earlier version of Slipway"
    )
    raise ReleaseError(
        f"{why}. A rotation brings nothing but secrets; nothing was changed. Deploy instead, which "
        f"rolls every service: ansible-playbook deploy.yml -i <inventory>. What differs is shown "
        f"with --check --diff.\n{serving.id} serves."
    )


def taken_over(
    serving: Manifest,
    services: dict[str, Any],
    changed: set[str],
    containers: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the services whose containers stay, since they run and read no secret that changed."""
    running = set(container_names(containers, running_only=True))
    return {
        name: {
            **service,
            "home": serving.home(name),
            "containers": serving.services[name]["containers"],
        }
        for name, service in services.items()
        if name not in changed and set(serving.services[name]["containers"]) <= running
    }


def starting(manifest: Manifest) -> set[str]:
    """Name the services of which a new release brings containers."""
    return {name for name in manifest.services if manifest.home(name) == manifest.id}


def manifest_services(model: dict[str, Any], release_id: str, bank: int) -> dict[str, Any]:
    """Say what the roll has to know of each service: questions, containers and addresses."""
    services: dict[str, Any] = {
        name: {
            "port": service["port"],
            "domain": (service["domains"] or [model["domain"]])[0],
            "probe": probe_path(service),
            "singleton": service["singleton"],
            "uid": service["uid"],
            "health": {**service["health"], "host": service["health"]["host"] or model["domain"]},
            "containers": {},
        }
        for name, service in services_of(model).items()
    }
    for name, replica, address in replicas_of(model, bank):
        container = container_name(model["name"], release_id, name, replica)
        services[name]["containers"][container] = address
    return services


def stack_containers(engine: Engine, stack: str) -> list[dict[str, Any]]:
    """List all containers of a stack, running or not, as the engine's API has them in a list."""
    return engine.listed(STACK_LABEL, stack)


def container_names(
    containers: list[dict[str, Any]], *, running_only: bool = False
) -> dict[str, str]:
    """Return the release of each listed container by the container's name."""
    return {
        container["Names"][0].lstrip("/"): container["Labels"].get(RELEASE_LABEL, "")
        for container in containers
        if container["State"] == "running" or not running_only
    }


def containers_are_right(serving: Manifest, containers: list[dict[str, Any]]) -> bool:
    """Tell whether all containers of the serving release run, and none of another exists."""
    return serving.containers <= set(container_names(containers, running_only=True)) and all(
        release == serving.id or name in serving.containers
        for name, release in container_names(containers).items()
    )


def unprovisioned(
    directory: StackDirectory, engine: Engine, ask_proxy: Callable[[], Any]
) -> list[str]:
    """List what `provision` has not made on this host yet."""
    missing = [] if directory.key.exists() else [f"{directory.key} is missing"]
    if not directory.root.is_dir():
        missing.append(f"{directory.root} is missing")
    try:
        _, networks = engine.ask("/networks")
    except EngineError as error:
        return [*missing, str(error)]
    names = {network["Name"] for network in networks}
    missing += [
        f"network {directory.stack}-{kind} is missing"
        for kind in ("edge", "app", "data")
        if f"{directory.stack}-{kind}" not in names
    ]
    try:
        ask_proxy()
    except ReleaseError as error:
        missing.append(str(error))
    return missing
