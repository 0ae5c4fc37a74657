"""A stack's model and fakes of what is outside of a release: engine, proxy and clock."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    PORT_LABEL,
    RELEASE_LABEL,
    STACK_LABEL,
    Release,
    container_name,
    project_name,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.plan import manifest_services
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, StackDirectory
from ansible_collections.slipway.stack.plugins.module_utils.routes import ROUTES_HEADER

STACK = "shop"
OLD = "20261122-101500-4f3a9c1e"
NEW = "20261122-183000-b81d02aa"
DIGESTS = {
    "backend": f"registry.example.com/shop/backend@sha256:{'a' * 64}",
    "frontend": f"registry.example.com/shop/frontend@sha256:{'b' * 64}",
    "worker": f"registry.example.com/shop/backend@sha256:{'a' * 64}",
}


def model(**changes: Any) -> dict[str, Any]:
    """Describe a stack with a routed backend and frontend and an unrouted worker."""
    base: dict[str, Any] = {
        "name": STACK,
        "domain": "shop.example.com",
        "domain_aliases": ["www.shop.example.com"],
        "subnet": "10.213.4.0/22",
        "directory": f"/srv/slipway/stacks/{STACK}",
        "services": {
            "backend": {
                "image": "registry.example.com/shop/backend",
                "port": 8000,
                "paths": ["/api", "/admin"],
                "uid": 10001,
                "networks": ["app", "data"],
                "secrets": ["key", "password"],
                "volumes": {"static": "/srv/static", "manifest": "/srv/release"},
                "environment": {"PRICE": "5$"},
                "health": {"path": "/readyz"},
                "replicas": 2,
            },
            "frontend": {
                "image": "registry.example.com/shop/frontend",
                "port": 8080,
                "uid": 101,
                "networks": [],
                "volumes": {"static": "/srv/static:ro"},
            },
            "worker": {
                "image": "registry.example.com/shop/backend",
                "command": ["work", "--rate=$RATE"],
                "health": {"command": ["check", "$HOME"]},
                "secrets": ["key"],
                "uid": 10001,
            },
        },
        "sizes": {},
        "environment": {"LANG": "C.UTF-8"},
        "volumes": {
            "static": {"owner": 10001},
            "manifest": {"owner": 10001, "scope": "release"},
        },
        "commands": [
            {"name": "migrate", "service": "backend", "command": ["migrate"]},
            {"name": "collect", "service": "backend", "command": ["collect"]},
            {"name": "warm", "service": "backend", "command": ["warm"], "when": "after"},
        ],
        "drain_timeout": 30,
        "noindex": False,
        "basic_auth": False,
        "postgres": True,
    }
    return copy.deepcopy(base) | changes


def with_service(name: str, **changes: Any) -> dict[str, Any]:
    """Return the model with some fields of one service changed; None takes a field away."""
    changed = model()
    service = changed["services"][name] | changes
    changed["services"][name] = {key: value for key, value in service.items() if value is not None}
    return changed


def release(**changes: Any) -> Release:
    values: dict[str, Any] = {
        "id": NEW,
        "bank": 2,
        "version": "1.4.1",
        "images": dict(DIGESTS),
    }
    return Release(**(values | changes))


def manifest(release_id: str = NEW, **changes: Any) -> Manifest:
    """Return the manifest of a release of the model without its worker's twin image."""
    bank = changes.pop("bank", 2)
    values: dict[str, Any] = {
        "id": release_id,
        "stack": STACK,
        "version": "1.4.1",
        "fingerprint": release_id[-8:] * 8,
        "bank": bank,
        "images": dict(DIGESTS),
        "services": manifest_services(model(), release_id, bank),
        "routers": ["shop-backend-0", "shop-backend-1", "shop-frontend-0"],
        "created": "2026-11-22T18:30:00Z",
    }
    return Manifest(**(values | changes))


def routes_text(release_id: str) -> str:
    return f"# generated\n{ROUTES_HEADER}{release_id}\n---\nhttp: {{}}\n"


def provisioned(host: Path, stack: str = STACK) -> StackDirectory:
    """Make the directories and the key that `provision` makes."""
    directory = StackDirectory(host, stack)
    directory.releases.mkdir(parents=True)
    directory.dynamic.mkdir(parents=True, exist_ok=True)
    directory.key.write_bytes(b"the host's own key")
    return directory


def written(directory: StackDirectory, one: Manifest) -> Manifest:
    """Put a release on the host as release_files leaves it."""
    path = directory.release(one.id)
    path.mkdir()
    (path / "compose.yml").write_text("{}\n")
    (path / "routes.yml").write_text(routes_text(one.id))
    directory.write_manifest(one)
    return one


def serve(directory: StackDirectory, release_id: str) -> None:
    directory.routes.write_text(routes_text(release_id))


class FakeEngine(Engine):
    """Stands in for the docker command and keeps containers in memory.

    `events` collects every command that changes something. `failing` maps a verb (`up`, `tag`, …)
    to the error that it ends with.
    """

    def __init__(self, directory: StackDirectory | None = None) -> None:
        self.directory = directory
        self.events: list[str] = []
        self.failing: dict[str, str] = {}
        self.there: dict[str, dict[str, Any]] = {}
        self.networks = [f"{STACK}-{kind}" for kind in ("edge", "app", "data")]
        self.wait: Callable[[], str] = lambda: "0\n"
        self.log = "the last line"
        self.new_state: dict[str, Any] = {}

    def run(self, *arguments: str, timeout: float = 120) -> str:
        verb = arguments[0]
        rest = list(arguments[1:])
        if verb == "compose":
            path = Path(rest[1]).parent
            verb, rest = rest[4], rest[5:]
            self.events.append(f"{verb} {path.name}")
        elif verb in {"container", "image", "network"}:
            verb, rest = f"{verb} {rest[0]}", rest[1:]
        if verb in self.failing:
            raise EngineError(self.failing[verb])
        handler = getattr(self, f"_{verb.replace(' ', '_')}", None)
        answer: str = handler(rest) if handler else ""
        return answer

    def logs(self, name: str, lines: int = 30) -> str:
        return self.log

    def add(self, release_id: str, name: str, **state: Any) -> None:
        """Put a running container of a release on the host."""
        container = container_name(STACK, release_id, *name.rsplit("-", 1))  # type: ignore[arg-type]
        labels = {STACK_LABEL: STACK, RELEASE_LABEL: release_id}
        if not name.startswith("worker"):
            labels[PORT_LABEL] = "8000"
        self.there[container] = {
            "Id": f"id-of-{container}",
            "Name": f"/{container}",
            "RestartCount": state.pop("RestartCount", 0),
            "Config": {"Labels": labels, "StopTimeout": 30},
            "State": {
                "Running": True,
                "Status": "running",
                "OOMKilled": False,
                "ExitCode": 0,
                "Pid": 4242,
                **state,
            },
        }

    def add_release(self, one: Manifest) -> None:
        for service, values in one.services.items():
            for number in range(1, len(values["containers"]) + 1):
                self.add(one.id, f"{service}-{number}", **self.new_state)

    def names(self) -> list[str]:
        return sorted(self.there)

    def _find(self, name: str) -> str | None:
        return next((key for key, one in self.there.items() if name in {key, one["Id"]}), None)

    def _ps(self, rest: list[str]) -> str:
        _, label, value = rest[-1].split("=")[-3:]
        return "\n".join(
            one["Id"] for one in self.there.values() if one["Config"]["Labels"].get(label) == value
        )

    def _container_inspect(self, rest: list[str]) -> str:
        found = [self._find(name) for name in rest]
        if None in found:
            raise EngineError("No such container")
        return json.dumps([self.there[name] for name in found if name])

    def _up(self, rest: list[str]) -> str:
        assert self.directory
        release_id = self.events[-1].split()[1]
        for name in rest[rest.index("never") + 1 :]:
            if f"{project_name(STACK, release_id)}-{name}" not in self.there:
                self.add(release_id, name, **self.new_state)
        return ""

    def _wait(self, _: list[str]) -> str:
        return self.wait()

    def _tag(self, rest: list[str]) -> str:
        self.events.append(f"tag {rest[1]}")
        return ""

    def _stop(self, rest: list[str]) -> str:
        self.events.append(f"stop {self._releases(rest)}")
        return ""

    def _rm(self, rest: list[str]) -> str:
        self.events.append(f"rm {self._releases(rest[1:]) or rest[-1]}")
        for name in filter(None, [self._find(name) for name in rest[1:]]):
            del self.there[name]
        return ""

    def _releases(self, names: list[str]) -> str:
        found = filter(None, [self._find(name) for name in names])
        return " ".join(
            sorted({self.there[one]["Config"]["Labels"][RELEASE_LABEL] for one in found})
        )

    def _image_rm(self, rest: list[str]) -> str:
        self.events.append(f"image rm {rest[0]}")
        return ""

    def _network_ls(self, _: list[str]) -> str:
        return "\n".join(self.networks)


class FakeProxy(Proxy):
    """Serves what the stack's dynamic file says, once it was asked `polls` times."""

    def __init__(self, directory: StackDirectory, events: list[str]) -> None:
        super().__init__("192.0.2.1")
        self.directory = directory
        self.events = events
        self.polls = 0
        self.errors: list[Exception] = []

    def serves(self, stack: str, release_id: str, routers: set[str]) -> bool:
        self.events.append(f"confirm {release_id}")
        if self.errors:
            raise self.errors.pop(0)
        self.polls -= 1
        return self.polls < 0 and self.directory.serving() == release_id


class FakeTime:
    """A clock that goes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_pause: Callable[[float], None] = lambda _: None

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_pause(self.seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, pause=self.pause)
