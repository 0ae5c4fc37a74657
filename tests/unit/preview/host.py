"""A host with two stacks in memory and on disk; whoever changes it can be killed at any step."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, StackDirectory
from ansible_collections.slipway.stack.plugins.module_utils.start import image_tag

RELEASE = "20261122-101500-4f3a9c1e"
BACKEND = "registry.example.com/shop/backend@sha256:"
DYNAMIC = ("{}.yml", "{}.next.yml", "{}.fallback.yml", "{}.maintenance.yml", "{}-certificate.yml")


class KilledError(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


class Host(Engine):
    """The engine, Traefik and the directories of a host.

    `moments` lists the steps that change something; `last_moment` is the number of the step at
    which the process is killed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "srv"
        self.pages = root / "pages"
        self.pages.mkdir()
        for name in ("stacks", "traefik/dynamic", "traefik/certificates"):
            (self.root / name).mkdir(parents=True)
        self.there: dict[str, dict[str, Any]] = {}
        self.volumes: set[str] = set()
        self.networks: dict[str, dict[str, Any]] = {}
        self.images: dict[str, str] = {}
        self.moments: list[str] = []
        self.last_moment: int | None = None
        self.traefik_is_slow = False
        self._container("traefik-a", "traefik:v3.7.15", {"io.slipway.traefik": "a"})

    def moment(self, what: str) -> None:
        if self.last_moment is not None and len(self.moments) >= self.last_moment:
            raise KilledError
        self.moments.append(what)

    # stacks -------------------------------------------------------------------------------------

    def add_stack(self, stack: str, digest: str = "a") -> StackDirectory:
        """Put a stack with one release, routes, secrets and a database on the host."""
        directory = StackDirectory(self.root, stack)
        release = directory.release(RELEASE)
        release.mkdir(parents=True)
        image = f"{BACKEND}{digest * 64}"
        one = Manifest(
            *(RELEASE, stack, "1", "f", 1, {"backend": image}, {}, []),
            created="2026-11-22T10:15:00Z",
        )
        directory.write_manifest(one)
        names = [pattern.format(stack) for pattern in DYNAMIC]
        for name in [*names, f"{stack}-{RELEASE}.users"]:
            (directory.dynamic / name).write_text("")
        for suffix in ("crt", "key"):
            path = self.root / "traefik" / "certificates" / f"{stack}-0123abcd.{suffix}"
            path.write_text("")
        (self.pages / f"{stack}.html").write_text("")
        self._container(f"{stack}-backend-1", image, {"io.slipway.stack": stack})
        self._container(f"{stack}-postgres", "postgres:17", {"io.slipway.stack.data": stack})
        self.images[image_tag(one, "backend")] = f"id of {image}"
        self.volumes.add(f"{stack}-postgres")
        for kind in ("edge", "data", "app"):
            self.networks[f"{stack}-{kind}"] = {
                "Name": f"{stack}-{kind}",
                "Labels": {"io.slipway.stack": stack, "io.slipway.network": kind},
                "Containers": {"id of traefik-a": {}} if kind == "edge" else {},
            }
        return directory

    def left_of(self, stack: str) -> list[str]:
        """Name everything on the host that has the stack's name."""
        files = [str(path) for path in self.root.parent.rglob("*")]
        names = [*files, *self.there, *self.volumes, *self.networks, *self.images]
        return sorted(name for name in names if stack in name)

    def _container(self, name: str, image: str, labels: dict[str, str]) -> None:
        self.images[image] = f"id of {image}"
        self.there[name] = {
            "Id": f"id of {name}",
            "Name": f"/{name}",
            "Image": f"id of {image}",
            "Config": {"Image": image, "Labels": labels},
        }

    # the engine ---------------------------------------------------------------------------------

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        path = unquote(path)
        kind, _, rest = path.lstrip("/").partition("/")
        if path == "/networks":
            return 200, list(self.networks.values())
        if kind == "networks":
            return (200, copy.deepcopy(self.networks[rest])) if rest in self.networks else (404, {})
        if kind == "volumes":
            return (200 if rest in self.volumes else 404), {}
        if kind == "images":
            return (200 if rest.removesuffix("/json") in self.images else 404), {}
        if path.startswith("/containers/json"):
            return 200, self._listed(path.partition("filters=")[2])
        name = rest.removesuffix("/json")
        found = next((one for one in self.there.values() if one["Id"] == name), None)
        return (200, found) if found else (404, {})

    def _listed(self, filters: str) -> list[dict[str, Any]]:
        wanted = json.loads(filters)["label"][0].split("=") if filters else None
        return [
            {"Id": one["Id"], "ImageID": one["Image"]}
            for one in self.there.values()
            if wanted is None or one["Config"]["Labels"].get(wanted[0]) == wanted[1]
        ]

    def tell(self, method: str, path: str, body: Any = None, timeout: float = 0) -> Any:
        path = unquote(path)
        self.moment(f"{method} {path}")
        _, kind, name = path.split("/")[:3]
        if path.endswith("/disconnect"):
            del self.networks[name]["Containers"][body["Container"]]
        elif kind == "networks":
            if self.networks[name]["Containers"]:
                raise EngineError(f"network {name} has active endpoints")
            del self.networks[name]
        elif kind == "volumes":
            self.volumes.remove(name)

    def remove(self, container: str, *, volumes: bool = False) -> None:
        self.moment(f"rm {container}")
        self.there = {name: one for name, one in self.there.items() if one["Id"] != container}

    def remove_image(self, name: str) -> None:
        self.moment(f"image rm {name}")
        if any(one["Config"]["Image"] == name for one in self.there.values()):
            raise EngineError(f"conflict: unable to remove {name}")
        del self.images[name]


class Traefik(Proxy):
    """Shows the routers of the dynamic files that are there."""

    def __init__(self, host: Host) -> None:
        super().__init__("192.0.2.1")
        self.host = host

    def get(self, path: str) -> Any:
        files = (self.host.root / "traefik" / "dynamic").glob("*.yml")
        names = [file.name.removesuffix(".yml") for file in files]
        if self.host.traefik_is_slow:
            names.append("p-search-0a1b2c")
        return [{"name": router(name)} for name in names]


def router(file: str) -> str:
    """Name a router of a dynamic file as Traefik shows it."""
    return f"{file}@file" if "." in file else f"{file}_backend_1@file"
