"""A stack's model, releases on a host, and fakes of the engine and the clock."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import Release
from ansible_collections.slipway.stack.plugins.module_utils.plan import manifest_services
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, StackDirectory
from ansible_collections.slipway.stack.plugins.module_utils.routes import ROUTES_HEADER

from tests.unit.release.fake_engine import STACK, FakeEngine

__all__ = ["STACK", "FakeEngine"]

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
        "edge": edge(),
    }
    return copy.deepcopy(base) | changes


def edge(**rules: Any) -> dict[str, Any]:
    """Return the rules of an edge that lets everybody pass as they are."""
    base: dict[str, Any] = {
        "redirects": [],
        "headers": {},
        "policies": {},
        "rate_limits": {},
        "max_body": {},
        "compress": False,
        "addresses": [],
        "answer_timeout": 120,
        "page": "http://10.213.0.1:8503",
        "staff_addresses": [],
        "behind_cdn": False,
    }
    return base | rules


def with_service(name: str, **changes: Any) -> dict[str, Any]:
    """Return the model with some fields of one service changed; None takes a field away."""
    changed = model()
    service = changed["services"][name] | changes
    changed["services"][name] = {key: value for key, value in service.items() if value is not None}
    return changed


def secrets(**values: str) -> str:
    """Return what the controller makes of the model's secrets, `key` and `password`."""
    known = {"key": "the key", "password": "the password", "users": ""} | values
    services = {
        name: {"uid": service["uid"], "values": {one: known[one] for one in service["secrets"]}}
        for name, service in model()["services"].items()
        if "secrets" in service
    }
    wanted = {"services": services, "users": known["users"]}
    return base64.b64encode(json.dumps(wanted).encode()).decode()


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
        "routers": ["shop_backend_0", "shop_backend_1", "shop_frontend_0"],
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
    """Put a release on the host as release_roll writes it."""
    path = directory.release(one.id)
    path.mkdir()
    (path / "compose.yml").write_text("{}\n")
    (path / "routes.yml").write_text(routes_text(one.id))
    directory.write_manifest(one)
    return one


def serve(directory: StackDirectory, release_id: str) -> None:
    directory.routes.write_text(routes_text(release_id))


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
