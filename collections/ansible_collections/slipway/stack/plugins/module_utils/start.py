"""Starting a release beside the one that serves, and waiting until it is healthy."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import command_container
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.together import together

POLL_SECONDS = 0.1
# Beyond what a container may take by itself: what the engine needs to make, stop and remove one.
ENGINE_SECONDS = 60
LOG_LINES = 30


def routed(manifest: Manifest) -> list[str]:
    """Name the services that visitors reach."""
    return sorted(name for name, service in manifest.services.items() if service["port"])


def singletons(manifest: Manifest) -> list[str]:
    """Name the services that must never run twice."""
    return sorted(name for name, service in manifest.services.items() if service["singleton"])


def workers(manifest: Manifest) -> list[str]:
    """Name the services that visitors do not reach and that may run beside their old ones."""
    return sorted(set(manifest.services) - set(routed(manifest)) - set(singletons(manifest)))


def containers_of(manifest: Manifest, services: Iterable[str]) -> list[str]:
    """Name the containers of some services."""
    return [name for service in services for name in manifest.services[service]["containers"]]


def image_tag(manifest: Manifest, service: str) -> str:
    """Name an image after the release that keeps it."""
    return f"slipway/{manifest.stack}-{service}:{manifest.id}"


class Starter:
    """Starts services of one release and waits for them."""

    def __init__(self, directory: StackDirectory, engine: Engine, clock: Clock) -> None:
        """Bring the parts together; nothing starts yet."""
        self.directory = directory
        self.engine = engine
        self.clock = clock
        # Containers of the release that serves, which the new one takes over as they are.
        self.shared: frozenset[str] = frozenset()

    def tag_images(self, manifest: Manifest) -> None:
        """Name each image after the release: by its digest alone it counts as dangling."""
        together(
            [
                partial(self.engine.tag, image, image_tag(manifest, service))
                for service, image in manifest.images.items()
            ]
        )

    def create(self, manifest: Manifest, commands: Sequence[str]) -> None:
        """Make all containers of a release, and anew those of some of its commands; none starts.

        At once, because Compose reads and checks everything each time. A reboot does not start what
        was never started.
        """
        left = [command_container(manifest.stack, manifest.id, name) for name in commands]
        together([partial(self.engine.remove, name) for name in left])
        for home in sorted(manifest.homes):
            entries = [
                f"{name}-{number}"
                for name, service in manifest.services.items()
                if manifest.home(name) == home
                for number in range(1, len(service["containers"]) + 1)
            ]
            if home == manifest.id:
                entries = [*commands, *entries]
            if entries:
                path = self.directory.release(home)
                self.engine.create(path, entries, timeout=ENGINE_SECONDS * len(entries))

    def weigh(self, manifest: Manifest, shares: int) -> None:
        """Set the weight of a release's containers beside all others on the host."""
        for name in containers_of(manifest, manifest.services):
            if name not in self.shared:
                self.engine.weigh(name, shares)

    def start(self, manifest: Manifest, services: list[str]) -> None:
        """Start the containers of some services side by side; those that run stay as they are."""
        together(
            [
                partial(self.engine.start, name, timeout=ENGINE_SECONDS)
                for name in containers_of(manifest, services)
            ]
        )

    def wait_until_healthy(
        self, manifest: Manifest, services: list[str], *, settled: bool = False
    ) -> None:
        """Wait for every container in its own bound; the first that cannot make it ends it.

        `settled` says that the release serves already, so that a restart may be long past.
        """
        begun = self.clock.now()
        waiting = {
            container: (manifest.services[name], address)
            for name in services
            for container, address in manifest.services[name]["containers"].items()
        }
        while waiting:
            asked = self.clock.now()
            states = {
                state["Name"].lstrip("/"): state for state in self.engine.inspect(sorted(waiting))
            }
            for container, (service, address) in sorted(waiting.items()):
                state = states.get(container)
                old = settled or container in self.shared
                if state and (verdict := dead(state, settled=old)):
                    raise self._unhealthy(container, verdict)
                missing = (
                    answer(self.engine, state, service, address)
                    if state
                    else "there is no such container"
                )
                if not missing:
                    del waiting[container]
                elif self.clock.now() - begun > service["health"]["start_timeout"]:
                    raise self._unhealthy(
                        container,
                        f"was not healthy within {service['health']['start_timeout']} seconds "
                        f"(health.start_timeout): {missing}",
                    )
            if waiting:
                # What asks at length must not keep what it asks from starting.
                self.clock.pause(max(POLL_SECONDS, self.clock.now() - asked))

    def _unhealthy(self, container: str, verdict: str) -> ReleaseError:
        logs = self.engine.logs(container, LOG_LINES)
        return ReleaseError(
            f"{container} {verdict}.\nIts last lines:\n{logs or '(it wrote nothing)'}"
        )


def dead(state: dict[str, Any], *, settled: bool) -> str:
    """Say why a container cannot become healthy any more, or nothing.

    One that has served (`settled`) may have been restarted in its life, and run well since.
    """
    if settled and state["State"]["Running"]:
        return ""
    if state["State"]["OOMKilled"]:
        return "ran out of memory (raise `memory` in stack_services or stack_sizes)"
    if state["RestartCount"] or state["State"]["Status"] in {"exited", "dead", "restarting"}:
        return f"ended with code {state['State']['ExitCode']}"
    return ""


def answer(
    engine: Engine, state: dict[str, Any], service: dict[str, Any], address: str | None
) -> str:
    """Ask a container whether it is healthy; return what is missing, or nothing when it is.

    A command is run at once instead of when Docker's own check is due, seconds later.
    """
    if not state["State"]["Running"]:
        return "it is not running yet"
    health = service["health"]
    if health["command"]:
        return engine.execute(state["Id"], health["command"], health["timeout"])
    docker_health = state["State"].get("Health")
    if docker_health and docker_health["Status"] != "healthy":
        return f"its own health check says '{docker_health['Status']}'"
    return over_http(address, service["port"], health) if address else ""


def over_http(address: str, port: int, health: dict[str, Any]) -> str:
    """Ask for the health path as the proxy would; return what is wrong with the answer, if any."""
    connection = http.client.HTTPConnection(address, port, timeout=health["timeout"])
    try:
        connection.request(
            "GET",
            health["path"],
            headers={"Host": health["host"], "X-Forwarded-Proto": health["proto"]},
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"http://{address}:{port}{health['path']} does not answer ({error})"
    finally:
        connection.close()
    if status >= http.client.BAD_REQUEST:
        return f"{health['path']} answered {status} to Host {health['host']}"
    return ""
