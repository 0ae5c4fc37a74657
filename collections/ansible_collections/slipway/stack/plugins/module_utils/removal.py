"""Removing a stack wholly from its host, in an order that can be broken off and begun again.

First visitors are led away, then what runs goes, then what it was made of, and its directory last:
as long as that is there, the next removal knows what is left.
"""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import STACK_LABEL
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.preview import PREFIX
from ansible_collections.slipway.stack.plugins.module_utils.proxy import TRAEFIK_LOG, Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RELEASE_ID,
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.retire import images_of, remove_image
from ansible_collections.slipway.stack.plugins.module_utils.together import together

PAGES = Path("/etc/slipway/pages")
CONFIRM_SECONDS = 15
POLL_SECONDS = 0.1


@dataclass
class Found:
    """What of a stack is on its host, by what it is."""

    routes: list[Path] = field(default_factory=list)
    containers: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Name all of it, a line each."""
        names = [one["Name"].lstrip("/") for one in self.containers]
        parts: list[tuple[str, Iterable[Any]]] = [
            ("route", self.routes),
            ("container", sorted(names)),
            ("volume", self.volumes),
            ("network", self.networks),
            ("image", self.images),
            ("file", self.files),
        ]
        return [f"{kind} {name}" for kind, each in parts for name in each]


def broken_off(host: Path) -> list[Path]:
    """List the directories of previews whose removal was broken off when nothing else was left."""
    return sorted(host.glob(f".{PREFIX}*~"))


class Removal:
    """Finds what of a stack is on the host, and removes it; whoever does so holds the host."""

    def __init__(
        self,
        directory: StackDirectory,
        engine: Engine,
        active: Callable[[], Proxy],
        clock: Clock,
    ) -> None:
        """Bring the parts together; nothing is removed yet.

        `active` returns the Traefik that visitors are led to.
        """
        self.directory = directory
        self.stack = directory.stack
        self.engine = engine
        self.active = active
        self.clock = clock

    def find(self) -> Found:
        """Look for all of it; nothing is changed."""
        containers = [
            *self.engine.containers(STACK_LABEL, self.stack),
            *self.engine.containers(f"{STACK_LABEL}.data", self.stack),
        ]
        return Found(
            routes=self._routes(),
            containers=containers,
            volumes=[name for name in [f"{self.stack}-postgres"] if self._has_volume(name)],
            networks=sorted(
                one["Name"]
                for one in self.engine.all_networks()
                if (one.get("Labels") or {}).get(STACK_LABEL) == self.stack
            ),
            images=self._images(containers),
            files=[
                path
                # What an earlier removal left has the name that the directory is to get.
                for path in (PAGES / f"{self.stack}.html", self._gone, self.directory.root)
                if path.exists()
            ],
        )

    def run(self) -> tuple[Found, list[str]]:
        """Remove all of it; return what there was, and a sentence for each image that stays.

        ReleaseError when Traefik or the engine does not do its part; run it again then.
        """
        found = self.find()
        for path in found.routes:
            path.unlink(missing_ok=True)
        # Where no route is left, too: an earlier removal may have ended unconfirmed.
        if found.routes or found.containers or found.networks:
            self._confirm()
        together([partial(self.engine.remove, one["Id"], volumes=True) for one in found.containers])
        for name in found.volumes:
            self.engine.tell("DELETE", f"/volumes/{quote(name)}")
        for name in found.networks:
            self._remove_network(name)
        notes = [note for name in found.images for note in remove_image(self.engine, name)]
        for path in found.files:
            # Away from the other stacks first, whose rolls read all that lies there.
            gone = path.rename(self._gone) if path == self.directory.root else path
            if gone.is_dir():
                shutil.rmtree(gone)
            else:
                gone.unlink(missing_ok=True)
        return found, notes

    @property
    def _gone(self) -> Path:
        """The name that the stack's directory has while it is removed."""
        return self.directory.host / f".{self.stack}~"

    def _routes(self) -> list[Path]:
        """List the stack's files that Traefik reads, and no other stack's."""
        own = re.escape(self.stack)
        of_routes = re.compile(
            rf"{own}(?:\.next|\.fallback|\.maintenance|-certificate)?\.yml|{own}-{RELEASE_ID.pattern}\.users"
        )
        of_certificates = re.compile(rf"{own}-[0-9a-f]{{8}}\.(?:crt|key)")
        return [
            path
            for place, pattern in (
                (self.directory.dynamic, of_routes),
                (self.directory.dynamic.with_name("certificates"), of_certificates),
            )
            if place.is_dir()
            for path in sorted(place.iterdir())
            if pattern.fullmatch(path.name)
        ]

    def _confirm(self) -> None:
        """Ask Traefik until it shows no router of the stack.

        One that stands still cannot say so, and that is well: it would not start again without the
        networks that it stood on.
        """
        bound = self.clock.now() + CONFIRM_SECONDS
        while left := self._shown():
            if self.clock.now() > bound:
                raise ReleaseError(
                    f"Traefik did not let go of {', '.join(left)} within {CONFIRM_SECONDS} "
                    f"seconds. See {TRAEFIK_LOG} on the host, and run this again."
                )
            self.clock.pause(POLL_SECONDS)

    def _shown(self) -> list[str]:
        """List the routers that belong to the stack: no stack's name has `_` or a dot."""
        own = re.compile(rf"{re.escape(self.stack)}[_.]")
        routers = self.active().get("/api/http/routers?per_page=1000")
        return sorted(one["name"] for one in routers if own.match(one["name"]))

    def _has_volume(self, name: str) -> bool:
        status, _ = self.engine.ask(f"/volumes/{quote(name)}")
        return status == http.client.OK

    def _remove_network(self, name: str) -> None:
        """Remove a network, from which Traefik is taken first."""
        _, found = self.engine.ask(f"/networks/{quote(name)}")
        for container in found.get("Containers") or {}:
            self.engine.tell(
                "POST",
                f"/networks/{quote(name)}/disconnect",
                {"Container": container, "Force": True},
            )
        self.engine.tell("DELETE", f"/networks/{quote(name)}")

    def _images(self, containers: list[dict[str, Any]]) -> list[str]:
        """Name the images that nothing else on the host is made of."""
        everybody = self._manifests()
        others = [one for one in everybody if one.stack != self.stack]
        names = [
            name
            for manifest in everybody
            if manifest.stack == self.stack
            for name in images_of(manifest, others)
        ]
        mine = {one["Id"] for one in containers}
        used = self._used_by_others(mine)
        names += [
            one["Config"]["Image"]
            for one in containers
            if f"{STACK_LABEL}.data" in one["Config"]["Labels"] and one["Image"] not in used
        ]
        return [name for name in dict.fromkeys(names) if self.engine.has_image(name)]

    def _manifests(self) -> list[Manifest]:
        """Read the releases of all stacks."""
        stacks = self.directory.host / "stacks"
        return self.directory.manifests_of_all_stacks() if stacks.is_dir() else []

    def _used_by_others(self, mine: set[str]) -> set[str]:
        """List the ids of the images that other containers run, or would run when started."""
        status, listed = self.engine.ask("/containers/json?all=true")
        if status != http.client.OK:
            raise EngineError(f"The engine does not list its containers: {listed}")
        return {one["ImageID"] for one in listed if one["Id"] not in mine}
