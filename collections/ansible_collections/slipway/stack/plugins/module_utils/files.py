"""Writing a release's directory, all of it or nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    with_token,
    without_token,
)
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import (
    write_secret,
    write_users,
)


@dataclass(frozen=True)
class Content:
    """What goes into a release's directory, beside its manifest.

    `secrets` is {"services": {service: {"uid": int, "values": {name: value}}}, "users": text};
    `volumes` is {name: {"owner": uid, "scope": "stack", "release" or "assets"}}.
    """

    compose: str
    routes: str
    secrets: dict[str, Any]
    volumes: dict[str, dict[str, Any]]


def read_secrets(blob: str) -> dict[str, Any]:
    """Decode the secrets from base64 and JSON."""
    decoded: dict[str, Any] = json.loads(base64.b64decode(blob))
    return decoded


def write_release(
    directory: StackDirectory, manifest: Manifest, content: Content, engine: Engine
) -> None:
    """Write the release under a temporary name, have Compose check it, then give it its name."""
    directory.releases.mkdir(mode=0o750, exist_ok=True)
    target = directory.release(manifest.id)
    temporary = directory.temporary(manifest.id)
    if temporary.exists():
        shutil.rmtree(temporary)
    temporary.mkdir(mode=0o750)
    try:
        write_atomically(temporary / "compose.yml", content.compose, mode=0o640)
        routes = with_token(content.routes, directory.key.read_bytes(), manifest.stack)
        write_atomically(temporary / "routes.yml", routes, mode=0o640)
        _write_secrets(temporary / "secrets", content.secrets["services"])
        _make_volumes(temporary / "volumes", content.volumes, {"release", "assets"})
        _make_volumes(directory.root / "volumes", content.volumes, {"stack", "assets"})
        try:
            engine.compose(temporary, "config", "--quiet")
        except EngineError as error:
            raise ReleaseError(
                f"Docker Compose refuses the compose file that stack_services makes: {error}"
            ) from error
        if content.secrets["users"]:
            write_users(directory, manifest, content.secrets["users"])
        # With its manifest, or whoever reads all releases would stumble over this one.
        manifest.write(temporary)
        temporary.rename(target)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def _write_secrets(parent: Path, services: dict[str, dict[str, Any]]) -> None:
    """Write one file for each reader: 0400 and owned by its uid, below a directory of root's alone.

    Docker Compose leaves uid, gid and mode of file secrets aside: the file itself has to be right.
    """
    parent.mkdir(mode=0o700)
    for service, secrets in services.items():
        (parent / service).mkdir(mode=0o700)
        for name, value in secrets["values"].items():
            write_secret(parent / service / name, value, secrets["uid"])


def _make_volumes(parent: Path, volumes: dict[str, dict[str, Any]], scopes: set[str]) -> None:
    """Make the directories of some scopes that do not exist; what exists stays as it is."""
    parent.mkdir(mode=0o755, exist_ok=True)
    for name, volume in volumes.items():
        path = parent / name
        if volume["scope"] in scopes and not path.exists():
            path.mkdir(mode=0o755)
            os.chown(path, volume["owner"], volume["owner"])


def comparable(directory: StackDirectory, serving: str | None, manifest: Manifest) -> str:
    """Return the serving release's files under the new one's id and addresses.

    What then differs is what the deploy really changes.
    """
    if not serving:
        return ""
    path = directory.release(serving)
    routes = (path / "routes.yml").read_text()
    routes = without_token(routes, directory.key.read_bytes(), directory.stack)
    text = (path / "compose.yml").read_text() + routes
    old = directory.manifest(serving)
    text = text.replace(serving, manifest.id)
    here, there = (_addresses(one) for one in (old, manifest))
    moved = {address: there[place] for place, address in here.items() if place in there}
    if not moved:
        return text
    pattern = "|".join(rf"\b{re.escape(address)}\b" for address in moved)
    return re.sub(pattern, lambda found: moved[found.group()], text)


def _addresses(manifest: Manifest) -> dict[tuple[str, str], str]:
    """Return the addresses by service and number of the replica."""
    return {
        (name, container.rpartition("-")[2]): address
        for name, service in manifest.services.items()
        for container, address in service["containers"].items()
        if address
    }
