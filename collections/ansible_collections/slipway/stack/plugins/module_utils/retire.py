"""Retiring releases: draining them, stopping them, and dropping what is no longer kept."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import assets
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    PORT_LABEL,
    RELEASE_LABEL,
    STACK_LABEL,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    ROLLED_BACK,
    Manifest,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import users_file
from ansible_collections.slipway.stack.plugins.module_utils.start import (
    ENGINE_SECONDS,
    POLL_SECONDS,
    image_tag,
)
from ansible_collections.slipway.stack.plugins.module_utils.together import together

STOP_SECONDS = 10  # the engine's own, for a container that names none
# How the engine begins to say why it keeps an image: a container or another image needs it.
IN_USE = "conflict: unable to "
ESTABLISHED = "01"  # the state in /proc/net/tcp; include/net/tcp_states.h of Linux


class Retirer:
    """Takes releases of one stack away."""

    def __init__(self, directory: StackDirectory, engine: Engine, clock: Clock) -> None:
        """Bring the parts together; nothing is taken away yet."""
        self.directory = directory
        self.engine = engine
        self.clock = clock

    def drain(self, serving: str, timeout: float) -> None:
        """Wait until no connection to the other releases is open, at most `timeout` seconds.

        Traefik closes idle connections after a second, so what stays is in flight.
        """
        old = [
            (container["State"]["Pid"], int(port))
            for container in self.others({serving})
            if container["State"]["Running"]
            and (port := container["Config"]["Labels"].get(PORT_LABEL))
        ]
        bound = self.clock.now() + timeout
        while any(open_connections(*one) for one in old) and self.clock.now() < bound:
            self.clock.pause(POLL_SECONDS)

    def others(self, releases: set[str | None]) -> list[dict[str, Any]]:
        """List the stack's containers that belong to no release of the set.

        One belongs to the release that brought it, and to each that took it over.
        """
        held = {
            name
            for release_id in filter(None, releases)
            for name in self.directory.manifest(release_id).containers
        }
        return [
            container
            for container in self.engine.containers(STACK_LABEL, self.directory.stack)
            if container["Config"]["Labels"].get(RELEASE_LABEL) not in releases
            and container["Name"].lstrip("/") not in held
        ]

    def stop(self, containers: list[dict[str, Any]]) -> None:
        """Stop containers side by side, each with its own signal and grace."""
        together(
            [
                partial(
                    self.engine.stop,
                    one["Id"],
                    timeout=(one["Config"].get("StopTimeout") or STOP_SECONDS) + ENGINE_SECONDS,
                )
                for one in containers
            ]
        )

    def remove_others(self, releases: set[str | None]) -> None:
        """Stop and remove the containers of all releases that are not in the set."""
        others = self.others(releases)
        self.stop(others)
        together([partial(self.engine.remove, one["Id"]) for one in others])

    def prune(self, serving: str, keep: int) -> list[str]:
        """Drop the oldest releases, and exactly the images and files that only they brought.

        Return a sentence for each image that stays because somebody else uses it.
        """
        manifests = self.directory.manifests()
        kept = kept_releases(manifests, serving, keep)
        everybody = self.directory.manifests_of_all_stacks()
        others = [one for one in everybody if one.stack != self.directory.stack]
        staying = [*others, *(one for one in manifests if one.id in kept)]
        dropped = [manifest for manifest in manifests if manifest.id not in kept]
        notes: list[str] = []
        for manifest in dropped:
            for name in images_of(manifest, staying):
                notes += remove_image(self.engine, name)
            (self.directory.dynamic / users_file(manifest.stack, manifest.id)).unlink(
                missing_ok=True
            )
            # Under a temporary name, so that a half removed release is none any more.
            gone = self.directory.temporary(manifest.id)
            self.directory.release(manifest.id).rename(gone)
            shutil.rmtree(gone)
        for left in self.directory.leftovers(serving):
            shutil.rmtree(left)
        for name in {name for manifest in dropped for name in manifest.assets}:
            trees = [self.directory.release(one) / "volumes" / name for one in kept]
            assets.trim(self.directory.root / "volumes" / name, trees)
        return notes


def images_of(manifest: Manifest, staying: list[Manifest]) -> list[str]:
    """Name the images that go with a release: what no release that stays is made of."""
    still_used = {image for one in staying for image in one.images.values()}
    tags = [image_tag(manifest, service) for service in manifest.images]
    return [*tags, *sorted({*manifest.images.values()} - still_used)]


def remove_image(engine: Engine, name: str) -> list[str]:
    """Remove an image if nobody uses it; return a sentence if somebody does."""
    try:
        engine.remove_image(name)
    except EngineError as error:
        if IN_USE in str(error):
            return [f"An image stays that is no longer kept, somebody else uses it: {error}"]
        if "No such image" not in str(error):
            raise
    return []


def kept_releases(manifests: list[Manifest], serving: str, keep: int) -> set[str]:
    """Choose what stays: the serving release and the newest ones that have served, `keep` in all.

    A release that never served is of no use to a rollback; the newest failed one stays for its log.
    With a release stay those whose containers it took over.
    """
    newest_first = sorted(manifests, key=lambda one: one.id, reverse=True)
    served = [
        one.id
        for one in newest_first
        if one.outcome in {RETIRED, ROLLED_BACK} and one.id != serving
    ]
    failed = [one.id for one in newest_first if one.outcome == FAILED]
    coming = [one.id for one in newest_first if one.outcome == PREPARED and one.id > serving]
    kept = {serving, *served[: keep - 1], *coming}
    return kept.union(failed[:1], *(one.homes for one in manifests if one.id in kept))


def open_connections(pid: int, port: int) -> int:
    """Count the established TCP connections to a port in a process's network; 0 when it is gone.

    /proc/net/tcp writes addresses as `HEX_ADDRESS:HEX_PORT` (proc(5)).
    """
    count = 0
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            local, _, state = line.split()[1:4]
            count += state == ESTABLISHED and int(local.rpartition(":")[2], 16) == port
    return count
