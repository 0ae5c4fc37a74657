"""Traefik's credentials at a DNS provider, as they lie on the host and reach the container.

    <traefik>/credentials/<name>/<VARIABLE>

The directory is named by what it holds and never changes: a slot goes on with the credentials that
it was started with, whatever the other one gets. lego, which asks the provider, reads each of its
variables from the file that `<VARIABLE>_FILE` names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.proxy import TRAEFIK_GROUP
from ansible_collections.slipway.stack.plugins.module_utils.release import write_atomically

MOUNT = "/run/credentials"
FILE_SUFFIX = "_FILE"


def read_credentials(word: str) -> dict[str, str]:
    """Decode the variables and their values from base64 and JSON; no word, no credentials."""
    decoded: dict[str, str] = json.loads(base64.b64decode(word)) if word else {}
    return decoded


def directory_name(values: dict[str, str], key: bytes) -> str:
    """Name what these values lie in, nothing for none; keyed, so that nobody can guess a value."""
    if not values:
        return ""
    content = json.dumps(values, sort_keys=True).encode()
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:16]


def environment(values: dict[str, str]) -> dict[str, str]:
    """Name the files to the container; what is the name of a file anyway stays that."""
    return {f"{name.removesuffix(FILE_SUFFIX)}{FILE_SUFFIX}": f"{MOUNT}/{name}" for name in values}


def put(traefik: Path, name: str, values: dict[str, str]) -> None:
    """Write the directory, all of it or nothing; what lies there already is the same."""
    target = place(traefik, name)
    if not values or target.exists():
        return
    temporary = target.with_name(f".{name}~")
    if temporary.exists():
        shutil.rmtree(temporary)
    temporary.mkdir(mode=0o750)
    os.chown(temporary, 0, TRAEFIK_GROUP)
    for variable, value in values.items():
        owner = TRAEFIK_GROUP
        write_atomically(temporary / variable, value, mode=0o400, owner=owner, group=owner)
    temporary.rename(target)


def keep_only(traefik: Path, name: str) -> None:
    """Remove whatever else was given before, and what a killed run left."""
    for other in (traefik / "credentials").glob("*"):
        if other.name != name:
            shutil.rmtree(other)


def place(traefik: Path, name: str) -> Path:
    """Name the directory on the host; `traefik` has Traefik's files."""
    return traefik / "credentials" / name
