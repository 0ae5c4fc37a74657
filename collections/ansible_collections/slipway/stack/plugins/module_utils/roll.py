"""The roll: bring a prepared release to the visitors and take the old one from them.

    start → healthy → switch → confirm → drain → stop → record

Before the switch, which renames one file, the old release serves and every failure leaves it alone.
After it the new one serves. Nothing in here sleeps for a fixed time and hopes: each step waits for
what it is about, and each wait has a bound and an error of its own.
"""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    PORT_LABEL,
    RELEASE_LABEL,
    STACK_LABEL,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.proxy import (
    TRAEFIK_LOG,
    Proxy,
    publish_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
    locked,
    utc_now,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import users_file

POLL_SECONDS = 0.1
CONFIRM_SECONDS = 15
# Beyond a service's own stop timeout: what the engine itself needs to stop and remove a container.
ENGINE_SECONDS = 60
LOG_LINES = 30
ESTABLISHED = "01"  # the state in /proc/net/tcp; include/net/tcp_states.h of Linux


@dataclass
class Report:
    """What a roll did: the releases, and the seconds that each phase took."""

    old: str | None
    new: str
    seconds: dict[str, float] = field(default_factory=dict)


class Roll:
    """One roll of one stack, from start to retire."""

    def __init__(
        self,
        directory: StackDirectory,
        engine: Engine,
        proxy: Proxy,
        *,
        drain_timeout: float,
        keep: int,
        clock: Clock | None = None,
    ) -> None:
        """Bring the parts together; nothing is touched before `run`."""
        self.directory = directory
        self.engine = engine
        self.proxy = proxy
        self.drain_timeout = drain_timeout
        self.keep = keep
        self.clock = clock or Clock()

    def run(self, release_id: str) -> Report:
        """Make this release the one that serves, or finish what an earlier roll of it began."""
        with locked(self.directory):
            manifest = self.directory.manifest(release_id)
            serving = self.directory.serving()
            report = Report(old=serving if serving != release_id else None, new=release_id)
            try:
                with self._timed(report, "start"):
                    if serving != release_id:  # else the old one has to be drained first
                        self._remove_strays({release_id, serving})
                    self._tag_images(manifest)
                    self._start(manifest)
                with self._timed(report, "healthy"):
                    self._wait_until_healthy(manifest, settled=serving == release_id)
                with self._timed(report, "switch"):
                    self._switch(manifest)
            except (ReleaseError, OSError) as error:
                if self.directory.serving() != release_id:
                    self._abandon(manifest, str(error))
                raise
            with self._timed(report, "drain"):
                self._drain({release_id})
            with self._timed(report, "stop"):
                self._remove_strays({release_id})
            self._record(manifest, report.old)
            self._prune(release_id)
            return report

    # start ------------------------------------------------------------------------------------

    def _tag_images(self, manifest: Manifest) -> None:
        """Name each image after the release: by its digest alone it counts as dangling."""
        for service, image in manifest.images.items():
            self.engine.run("tag", image, image_tag(manifest, service))

    def _start(self, manifest: Manifest) -> None:
        """Start the containers beside the old ones; the commands have run and do not run again."""
        replicas = [
            f"{name}-{number}"
            for name, service in sorted(manifest.services.items())
            for number in range(1, len(service["containers"]) + 1)
        ]
        self.engine.compose(
            self.directory.release(manifest.id),
            *("up", "--detach", "--no-deps", "--no-recreate", "--pull", "never", *replicas),
            timeout=ENGINE_SECONDS * len(replicas),
        )

    def _wait_until_healthy(self, manifest: Manifest, *, settled: bool) -> None:
        """Wait for every container in its own bound; the first that cannot make it ends it.

        `settled` says that the release serves already, so that a restart may be long past.
        """
        begun = self.clock.now()
        waiting = {
            container: (service, address)
            for service in manifest.services.values()
            for container, address in service["containers"].items()
        }
        last: dict[str, str] = {}
        while waiting:
            states = {
                state["Name"].lstrip("/"): state for state in self.engine.inspect(sorted(waiting))
            }
            for container, (service, address) in sorted(waiting.items()):
                state = states.get(container)
                if state and (verdict := dead(state, settled=settled)):
                    raise self._unhealthy(container, verdict)
                last[container] = (
                    answer(state, service, address) if state else "there is no such container"
                )
                if not last[container]:
                    del waiting[container]
                elif self.clock.now() - begun > service["health"]["start_timeout"]:
                    raise self._unhealthy(
                        container,
                        f"was not healthy within {service['health']['start_timeout']} seconds "
                        f"(health.start_timeout): {last[container]}",
                    )
            if waiting:
                self.clock.pause(POLL_SECONDS)

    def _unhealthy(self, container: str, verdict: str) -> ReleaseError:
        logs = self.engine.logs(container, LOG_LINES)
        return ReleaseError(
            f"{container} {verdict}.\nIts last lines:\n{logs or '(it wrote nothing)'}"
        )

    # switch -----------------------------------------------------------------------------------

    def _switch(self, manifest: Manifest) -> None:
        """Rename the one file, and ask Traefik until nothing but this release serves."""
        path = self.directory.routes
        before = path.read_text() if path.exists() else None
        routes = (self.directory.release(manifest.id) / "routes.yml").read_text()
        if routes != before:
            publish_routes(path, routes)
        routers = set(manifest.routers)
        bound = self.clock.now() + CONFIRM_SECONDS
        while missing := self._unconfirmed(manifest, routers):
            if self.clock.now() > bound:
                if before is None:
                    path.unlink()
                else:
                    publish_routes(path, before)
                raise ReleaseError(
                    f"Traefik did not take the routes of {manifest.id} within {CONFIRM_SECONDS} "
                    f"seconds, so they were taken back: {missing}. See {TRAEFIK_LOG} on the "
                    f"host and {self.directory.release(manifest.id)}/routes.yml."
                )
            self.clock.pause(POLL_SECONDS)

    def _unconfirmed(self, manifest: Manifest, routers: set[str]) -> str:
        """Say why it is not sure that this release serves, or nothing; Traefik may be slow once."""
        try:
            serves = self.proxy.serves(manifest.stack, manifest.id, routers)
        except ReleaseError as error:
            return str(error)
        return "" if serves else "its API shows other routers"

    # retire -----------------------------------------------------------------------------------

    def _drain(self, serving: set[str | None]) -> None:
        """Wait until no connection to the old containers is open, at most `drain_timeout` seconds.

        Traefik closes idle connections after a second, so what stays is in flight.
        """
        old = [
            (container["State"]["Pid"], int(port))
            for container in self._others(serving)
            if container["State"]["Running"]
            and (port := container["Config"]["Labels"].get(PORT_LABEL))
        ]
        bound = self.clock.now() + self.drain_timeout
        while any(open_connections(*one) for one in old) and self.clock.now() < bound:
            self.clock.pause(POLL_SECONDS)

    def _others(self, releases: set[str | None]) -> list[dict[str, Any]]:
        """List the stack's containers that belong to no release of the set."""
        return [
            container
            for container in self.engine.containers(STACK_LABEL, self.directory.stack)
            if container["Config"]["Labels"].get(RELEASE_LABEL) not in releases
        ]

    def _remove_strays(self, releases: set[str | None]) -> None:
        """Stop and remove the containers of all other releases, each with its own grace."""
        others = {
            container["Id"]: container["Config"].get("StopTimeout") or 10
            for container in self._others(releases)
        }
        if others:
            # `docker stop` without a time uses each container's own stop timeout, side by side.
            self.engine.run("stop", *others, timeout=max(others.values()) + ENGINE_SECONDS)
            self.engine.run("rm", "--force", *others)

    def _abandon(self, manifest: Manifest, reason: str) -> None:
        """Take a release that never served away again; what serves was not touched."""
        try:
            self._remove_strays({self.directory.serving()})
        except EngineError as error:
            reason = f"{reason}\nIts containers could not be removed: {error}"
        manifest.outcome, manifest.reason, manifest.finished = FAILED, reason, utc_now()
        self.directory.write_manifest(manifest)

    # record -----------------------------------------------------------------------------------

    def _record(self, manifest: Manifest, old: str | None) -> None:
        """Write down what serves now and what no longer does.

        An interrupted roll may have made the old release serve without writing it down.
        """
        for other in self.directory.manifests():
            if other.id != manifest.id and (other.outcome == SERVING or other.id == old):
                other.outcome = RETIRED
                self.directory.write_manifest(other)
        manifest.outcome, manifest.reason, manifest.finished = SERVING, "", utc_now()
        self.directory.write_manifest(manifest)

    def _prune(self, serving: str) -> None:
        """Drop the oldest releases and exactly the images that only they brought."""
        manifests = self.directory.manifests()
        kept = kept_releases(manifests, serving, self.keep)
        others = [one for one in self._all_manifests() if one.stack != self.directory.stack]
        still_used = {
            image
            for one in [*others, *(one for one in manifests if one.id in kept)]
            for image in one.images.values()
        }
        for manifest in manifests:
            if manifest.id in kept:
                continue
            for service, image in manifest.images.items():
                names = [image_tag(manifest, service)] + [image] * (image not in still_used)
                for name in names:
                    self._remove_image(name)
            # Under a temporary name, so that a half removed release is none any more.
            gone = self.directory.temporary(manifest.id)
            self.directory.release(manifest.id).rename(gone)
            (self.directory.dynamic / users_file(manifest.stack, manifest.id)).unlink(
                missing_ok=True
            )
            shutil.rmtree(gone)
        for left in self.directory.leftovers(serving):
            shutil.rmtree(left)

    def _all_manifests(self) -> list[Manifest]:
        """Read the releases of all stacks: two may run the same image."""
        host = self.directory.host
        return [
            manifest
            for stack in sorted((host / "stacks").iterdir())
            for manifest in StackDirectory(host, stack.name).manifests()
        ]

    def _remove_image(self, name: str) -> None:
        try:
            self.engine.run("image", "rm", name)
        except EngineError as error:
            if "No such image" not in str(error):
                raise

    @contextmanager
    def _timed(self, report: Report, phase: str) -> Iterator[None]:
        begun = self.clock.now()
        try:
            yield
        finally:
            report.seconds[phase] = round(self.clock.now() - begun, 2)


def image_tag(manifest: Manifest, service: str) -> str:
    """Name an image after the release that keeps it."""
    return f"slipway/{manifest.stack}-{service}:{manifest.id}"


def kept_releases(manifests: list[Manifest], serving: str, keep: int) -> set[str]:
    """Choose what stays: the serving release and the newest ones that have served, `keep` in all.

    A release that never served is of no use to a rollback; the newest failed one stays for its log.
    """
    newest_first = sorted(manifests, key=lambda one: one.id, reverse=True)
    served = [one.id for one in newest_first if one.outcome == RETIRED and one.id != serving]
    failed = [one.id for one in newest_first if one.outcome == FAILED]
    coming = [one.id for one in newest_first if one.outcome == PREPARED and one.id > serving]
    return {serving, *served[: keep - 1], *failed[:1], *coming}


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


def answer(state: dict[str, Any], service: dict[str, Any], address: str | None) -> str:
    """Ask a container whether it is healthy; return what is missing, or nothing when it is."""
    if not state["State"]["Running"]:
        return "it is not running yet"
    docker_health = state["State"].get("Health")
    if docker_health and docker_health["Status"] != "healthy":
        return f"its own health check says '{docker_health['Status']}'"
    health = service["health"]
    if address is None or health["command"]:
        return ""
    connection = http.client.HTTPConnection(address, service["port"], timeout=health["timeout"])
    try:
        connection.request(
            "GET",
            health["path"],
            headers={"Host": health["host"], "X-Forwarded-Proto": health["proto"]},
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"http://{address}:{service['port']}{health['path']} does not answer ({error})"
    finally:
        connection.close()
    if status >= http.client.BAD_REQUEST:
        return f"{health['path']} answered {status} to Host {health['host']}"
    return ""


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
