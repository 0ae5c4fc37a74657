"""The secrets of the releases as they lie on the host: a file for each reader.

    <release>/secrets/<service>/<name>, and Traefik's file of those who may enter

Here they are `{"services": {service: {"uid": int, "values": {name: value}}}, "users": text}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.proxy import TRAEFIK_GROUP
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    StackDirectory,
    fingerprint,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import users_file


def text_of(path: Path) -> str:
    """Read a secret as it is: other ways of reading take a carriage return away."""
    return path.read_bytes().decode()


def secrets_on_host(directory: StackDirectory, manifest: Manifest) -> dict[str, Any]:
    """Read the secrets of a release."""
    services: dict[str, dict[str, Any]] = {}
    for path in sorted((directory.release(manifest.id) / "secrets").glob("*/*")):
        uid = manifest.services[path.parent.name].get("uid")
        service = services.setdefault(path.parent.name, {"uid": uid, "values": {}})
        service["values"][path.name] = text_of(path)
    users = _users(directory, manifest)
    return {"services": services, "users": text_of(users) if users.exists() else ""}


def readers_of_change(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Name the services that read a secret that differs."""
    old, new = before["services"], after["services"]
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def renew(directory: StackDirectory, manifest: Manifest, present: Manifest) -> None:
    """Give a release the values that another one has for the secrets of the same names.

    So that it can serve again when its own have been revoked, and that none of these stays on the
    host. What the other one does not know is left alone. It may be interrupted and done again.
    """
    if manifest.id == present.id or manifest.made_by_0_1_0:
        return
    for path, value in [*outdated(directory, manifest, present)]:
        write_secret(path, value, path.stat().st_uid)
    mine, there = (_users(directory, one) for one in (manifest, present))
    if mine.exists() and there.exists() and text_of(mine) != text_of(there):
        write_users(directory, manifest, text_of(there))
    if manifest.definition:
        renewed = secrets_on_host(directory, manifest)
        known = fingerprint(manifest.definition, renewed, directory.key.read_bytes())
        if manifest.fingerprint != known:
            manifest.fingerprint = known
            directory.write_manifest(manifest)


def outdated(
    directory: StackDirectory, manifest: Manifest, present: Manifest
) -> Iterator[tuple[Path, str]]:
    """Yield the files whose secret has another value in the other release, each with that value."""
    there = secrets_on_host(directory, present)["services"]
    values = {name: value for one in there.values() for name, value in one["values"].items()}
    for service, secrets in secrets_on_host(directory, manifest)["services"].items():
        # The same service's own come first.
        wanted = values | there.get(service, {"values": {}})["values"]
        for name, value in secrets["values"].items():
            if wanted.get(name, value) != value:
                yield directory.release(manifest.id) / "secrets" / service / name, wanted[name]


def write_secret(path: Path, value: str, uid: int) -> None:
    """Write a secret for its one reader: 0400 and owned by the reader's uid."""
    write_atomically(path, value, mode=0o400, owner=uid, group=uid)


def write_users(directory: StackDirectory, manifest: Manifest, users: str) -> None:
    """Write who may enter, for Traefik alone."""
    write_atomically(_users(directory, manifest), users, mode=0o640, group=TRAEFIK_GROUP)


def _users(directory: StackDirectory, manifest: Manifest) -> Path:
    return directory.dynamic / users_file(manifest.stack, manifest.id)
