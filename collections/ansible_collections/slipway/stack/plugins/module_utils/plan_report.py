"""The plan of a deploy in lines for people; none of them holds a secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import commands_of
from ansible_collections.slipway.stack.plugins.module_utils.files import read_secrets
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    FINISH,
    FOLLOW,
    NOTHING,
    Plan,
    container_names,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RETIRED,
    SERVING,
    Manifest,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.retire import kept_releases
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import secrets_on_host

SHORT_DIGEST = 12


def plan_lines(
    directory: StackDirectory,
    plan: Plan,
    model: dict[str, Any],
    containers: list[dict[str, Any]],
    *,
    secrets: str,
    keep: int,
) -> list[str]:
    """Say what the deploy would do; `containers` are the stack's, as the engine lists them."""
    manifest = plan.manifest
    if plan.action == NOTHING:
        return [f"{serves(manifest)}, as wanted. Nothing is to be done."]
    if plan.action == FOLLOW:
        return [f"{manifest.stack}: {title(manifest)} is on its way. This follows it."]
    serving = directory.manifest(plan.serving) if plan.serving else None
    if plan.action == FINISH:
        head = [
            f"{serves(manifest)}, but its roll did not end. This finishes it.",
            *(f"  runs       {name} after the switch" for name in manifest.pending),
        ]
    else:
        head = [
            f"{manifest.stack}: {title(serving) if serving else 'nothing'} → {title(manifest)}",
            *image_lines(serving, manifest),
            *secret_lines(directory, serving, read_secrets(secrets)),
            *command_lines(model),
            *stay_lines(manifest),
        ]
    return head + container_lines(manifest, containers) + drop_lines(directory, manifest, keep)


def serves(manifest: Manifest) -> str:
    """Begin a sentence about the release that serves."""
    return f"{manifest.stack}: {title(manifest)} serves"


def title(manifest: Manifest) -> str:
    """Name a release with its version."""
    return f"{manifest.id} (version {manifest.version})"


def image_lines(serving: Manifest | None, manifest: Manifest) -> list[str]:
    """Compare the images of each service by the beginning of their digests."""
    old = serving.images if serving else {}
    lines = []
    for service in sorted(old.keys() | manifest.images.keys()):
        before, after = (
            digest(images[service]) if service in images else "none"
            for images in (old, manifest.images)
        )
        change = f"{before} → {after}" if before != after else f"{after}, unchanged"
        lines.append(f"  image      {service}: {change}")
    return lines


def digest(reference: str) -> str:
    """Shorten a digest to what tells two apart."""
    return reference.rpartition("@sha256:")[2][:SHORT_DIGEST]


def secret_lines(
    directory: StackDirectory, serving: Manifest | None, wanted: dict[str, Any]
) -> list[str]:
    """Name the secrets that differ; no other difference shows as little of itself."""
    if not serving:
        return []
    before, after = (_by_reader(one) for one in (secrets_on_host(directory, serving), wanted))
    return [
        f"  secret     {service}: {name} {_change(before.get((service, name)), value)}"
        for service, name in sorted(before.keys() | after.keys())
        if before.get((service, name)) != (value := after.get((service, name)))
    ]


def _by_reader(secrets: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (service, name): value
        for service, one in secrets["services"].items()
        for name, value in one["values"].items()
    } | {("stack_basic_auth", "users"): secrets["users"]}


def _change(before: str | None, after: str | None) -> str:
    if before is None:
        return "is new"
    return "is gone" if after is None else "differs"


def command_lines(model: dict[str, Any]) -> list[str]:
    """Name the commands in the order in which they run."""
    commands = commands_of(model)
    return [
        f"  runs       {', '.join(names)} {when} the switch"
        for when in ("before", "after")
        if (names := [command["name"] for command in commands if command["when"] == when])
    ]


def stay_lines(manifest: Manifest) -> list[str]:
    """Name the containers that the release takes over as they are."""
    return [
        f"  stays      {container}"
        for name, service in manifest.services.items()
        if manifest.home(name) != manifest.id
        for container in service["containers"]
    ]


def container_lines(manifest: Manifest, containers: list[dict[str, Any]]) -> list[str]:
    """Say which containers start, and which stop and go."""
    running = container_names(containers, running_only=True)
    starts = [
        name
        for service in manifest.services.values()
        for name in service["containers"]
        if name not in running
    ]
    goes = sorted(
        name
        for name, release in container_names(containers).items()
        if release != manifest.id and name not in manifest.containers
    )
    return [f"  starts     {name}" for name in starts] + [
        f"  stops      {name}, then removes it" if name in running else f"  removes    {name}"
        for name in goes
    ]


def drop_lines(directory: StackDirectory, manifest: Manifest, keep: int) -> list[str]:
    """Say which releases would no longer be kept, and which images go with them."""
    after = [
        replace(one, outcome=RETIRED) if one.outcome == SERVING and one.id != manifest.id else one
        for one in directory.manifests()
        if one.id != manifest.id
    ]
    kept = kept_releases([*after, manifest], manifest.id, keep)
    used = {
        image
        for one in [manifest, *directory.manifests_of_all_stacks()]
        if one.stack != manifest.stack or one.id in kept
        for image in one.images.values()
    }
    dropped = [one for one in after if one.id not in kept]
    images = sorted({image for one in dropped for image in one.images.values()} - used)
    return [f"  drops      {title(one)}" for one in dropped] + [
        f"  drops      image {image}" for image in images
    ]
