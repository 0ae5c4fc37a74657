"""Going back: which release is meant, and whether it can serve again at once.

A rollback runs no commands and asks no registry, so only a release that has served, and whose
images are still on the host, can be gone back to.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    FINISH,
    FOLLOW,
    NOTHING,
    Plan,
    containers_are_right,
    stack_containers,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    ROLLED_BACK,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.unit import running

ROLLBACK = "rollback"
HAS_SERVED = {SERVING, RETIRED, ROLLED_BACK}
# Those that nobody went back from; until an interrupted roll is finished, what it replaced still
# counts as serving.
GOOD = {SERVING, RETIRED}


@dataclass(frozen=True)
class Kept:
    """The releases on the host, the newest first, and the one of them that serves."""

    releases: list[Manifest]
    serving: Manifest


def plan_rollback(directory: StackDirectory, engine: Engine, wanted: str) -> Plan:
    """Choose the release to go back to; `wanted` is an id, a version, or empty: the one before.

    ReleaseError says why there is none, or why it cannot serve.
    """
    serving_id = directory.serving()
    if not serving_id:
        raise ReleaseError(
            f"Nothing serves in the stack '{directory.stack}' on this host, so there is nothing to "
            f"go back from. Deploy: ansible-playbook deploy.yml -i <inventory>"
        )
    kept = Kept(directory.manifests(), directory.manifest(serving_id))
    target = named(kept, wanted) if wanted else previous(kept)
    if found := running(directory, lambda one: one.id == target.id):
        return Plan(FOLLOW, target, serving_id, found[0])
    if target.id == serving_id and target.outcome == SERVING:
        containers = stack_containers(engine, directory.stack)
        if containers_are_right(target, containers):
            return Plan(NOTHING, target, serving_id)
    if target.made_by_0_1_0:
        raise ReleaseError(
            f"{target.id} (version {target.version}) was made by version 0.1.0 of Slipway and has "
            f"no private route by which it could be tried before visitors meet it. Deploy its "
            f"version instead, which makes a new release: ansible-playbook deploy.yml "
            f"-i <inventory> -e stack_version={target.version}\n{serving_id} serves."
        )
    if target.id == serving_id:
        return Plan(FINISH, target, serving_id)
    missing = sorted({image for image in target.images.values() if not engine.has_image(image)})
    if missing:
        raise ReleaseError(
            f"{target.id} cannot serve: {', '.join(missing)} is no longer on the host. Deploy its "
            f"version instead, which pulls it again: ansible-playbook deploy.yml -i <inventory> "
            f"-e stack_version={target.version}"
        )
    return Plan(ROLLBACK, target, serving_id)


def previous(kept: Kept) -> Manifest:
    """Return the release to go back to when none is named.

    That is the newest good one before the serving one. When an earlier rollback was interrupted
    after its switch, it is the serving one: running it again finishes it and goes back no further.
    """
    if kept.serving.outcome in {RETIRED, ROLLED_BACK}:
        return kept.serving
    for manifest in kept.releases:
        if manifest.id < kept.serving.id and manifest.outcome in GOOD:
            return manifest
    raise ReleaseError(
        f"No release is kept that served before {kept.serving.id}. Name another with "
        f"-e release=…{_choices(kept)}"
    )


def named(kept: Kept, wanted: str) -> Manifest:
    """Return the release of an id, or the newest one of a version that has served.

    One that never served is refused even by its id: a rollback runs no commands, so its migrations
    may be missing.
    """
    found = [one for one in kept.releases if wanted in {one.id, one.version}]
    if not found:
        raise ReleaseError(
            f"No release with the id or version '{wanted}' is kept on the host.{_choices(kept)}"
        )
    usable = [one for one in found if one.outcome in HAS_SERVED or one.id == kept.serving.id]
    if not usable:
        one = found[0]
        why = {FAILED: "failed", PREPARED: "was never finished"}[one.outcome]
        raise ReleaseError(
            f"{one.id} (version {one.version}) {why}, so it has never served, and a rollback runs "
            f"no commands, such as migrations. Deploy it: ansible-playbook deploy.yml "
            f"-i <inventory> -e stack_version={one.version}{_choices(kept)}"
        )
    return usable[0]


def rollback_lines(plan: Plan, serving: Manifest) -> list[str]:
    """Say what the rollback would do."""
    one = plan.manifest
    title = f"{one.stack}: {one.id} (version {one.version})"
    if plan.action == NOTHING:
        return [f"{title} serves already. Nothing is to be done."]
    if plan.action == FOLLOW:
        return [f"{title} is on its way. This follows it."]
    if plan.action == FINISH:
        return [f"{title} serves, but its roll did not end. This finishes it."]
    return [
        f"{one.stack}: {serving.id} (version {serving.version}) → {one.id} (version {one.version})",
        "  runs       no commands: the older code meets the newer schema",
        *(f"  stays      {name}" for name in sorted(one.containers & serving.containers)),
        *(f"  starts     {name}" for name in sorted(one.containers - serving.containers)),
        *(
            f"  stops      {name}, then removes it"
            for name in sorted(serving.containers - one.containers)
        ),
    ]


def _choices(kept: Kept) -> str:
    lines = [
        f"  {one.id}  version {one.version}  {one.outcome}"
        for one in kept.releases
        if one.outcome in HAS_SERVED and one.id != kept.serving.id
    ]
    if not lines:
        return f"\nNo other release that has served is kept; {kept.serving.id} serves."
    return "\n".join(["\nKept, and able to serve:", *lines, f"{kept.serving.id} serves."])
