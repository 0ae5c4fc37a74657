"""Deciding who serves: one rename of one file, and Traefik's own word that it was taken."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.canary import canary_routes
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import project_name
from ansible_collections.slipway.stack.plugins.module_utils.proxy import (
    TRAEFIK_LOG,
    Proxy,
    publish_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    private_routes,
    read_routes,
    routes_text,
    service_by_router,
)
from ansible_collections.slipway.stack.plugins.module_utils.start import POLL_SECONDS, routed

CONFIRM_SECONDS = 15


class Switch:
    """Publishes a stack's routes and confirms them through Traefik's API."""

    def __init__(self, directory: StackDirectory, proxy: Proxy, clock: Clock) -> None:
        """Bring the parts together; nothing is published yet."""
        self.directory = directory
        self.proxy = proxy
        self.clock = clock

    def publish(self, manifest: Manifest) -> None:
        """Make this release the one that serves; before the rename the other one does."""
        self.routes(manifest)  # what cannot be read never takes the place of what serves
        text = (self.directory.release(manifest.id) / "routes.yml").read_text()
        path = self.directory.routes
        if not path.exists() or path.read_text() != text:
            publish_routes(path, text)

    def publish_canary(
        self, old: Manifest, new: Manifest, *, percent: int, steps: list[int]
    ) -> dict[str, Any]:
        """Draw some visitors to the new release, while the old one serves; return the routes."""
        routes = canary_routes(
            self.directory.stack,
            self.routes(old),
            self.routes(new),
            old_id=old.id,
            new_id=new.id,
            percent=percent,
            steps=steps,
        )
        publish_routes(self.directory.routes, routes_text(old.id, routes))
        return routes

    def publish_private(self, manifest: Manifest) -> dict[str, Any]:
        """Give the roll, and nobody else, a way to this release; return the routes."""
        routes = private_routes(self.routes(manifest), manifest.id)
        publish_routes(self.directory.private_routes, routes_text(manifest.id, routes))
        return routes

    def drop_private(self) -> None:
        """Close the private way."""
        self.directory.private_routes.unlink(missing_ok=True)

    def routes(self, manifest: Manifest) -> dict[str, Any]:
        """Read a release's public routes as data; those of 0.1.0 say who leads where, no more."""
        if manifest.made_by_0_1_0:
            return routes_of_0_1_0(manifest)
        path = self.directory.release(manifest.id) / "routes.yml"
        try:
            return read_routes(path.read_text())
        except ValueError as error:
            raise ReleaseError(
                f"{path} cannot be read ({error}): it was edited by hand or cut off. Whatever "
                f"serves goes on. If this is the release that serves, copy {self.directory.routes} "
                f"there, which has the same text, and run this again; else deploy its version, "
                f"which makes a new release."
            ) from error

    def confirm(self, *files: dict[str, Any]) -> None:
        """Ask Traefik until it shows exactly the routers of these files, each at its service."""
        wanted = service_by_router(*files)
        bound = self.clock.now() + CONFIRM_SECONDS
        while missing := self._unconfirmed(wanted):
            if self.clock.now() > bound:
                raise ReleaseError(
                    f"Traefik did not take the routes of {self.directory.stack} within "
                    f"{CONFIRM_SECONDS} seconds: {missing}. See {TRAEFIK_LOG} on the host and "
                    f"{self.directory.dynamic}."
                )
            self.clock.pause(POLL_SECONDS)

    def _unconfirmed(self, wanted: dict[str, str]) -> str:
        """Say why it is not sure that these routes serve, or nothing; Traefik may be slow once."""
        try:
            shown = self.proxy.shows(self.directory.stack, wanted)
        except ReleaseError as error:
            return str(error)
        return "" if shown else "its API shows other routers"


def routes_of_0_1_0(manifest: Manifest) -> dict[str, Any]:
    """Return each router with its service, by the rules of 0.1.0: no host can read its YAML."""
    services = {
        f"{manifest.stack}-{name}": f"{project_name(manifest.stack, manifest.id)}-{name}"
        for name in routed(manifest)
    }
    routers = {name: {"service": services[name.rpartition("-")[0]]} for name in manifest.routers}
    return {"http": {"routers": routers}}
