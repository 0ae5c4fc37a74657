"""The releases of a stack as they lie on its host.

    <stack directory>/releases/<id>/{compose.yml, routes.yml, manifest.json, secrets/, volumes/}

A release never changes once it is written; only its manifest's outcome does. What serves is written
in one place alone: Traefik's dynamic file of the stack. Everything else derives from it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.addresses import BANKS
from ansible_collections.slipway.stack.plugins.module_utils.routes import ROUTES_HEADER

PREVIEW_RECORD = "preview.json"
RELEASE_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
TIME_FORMAT = "%Y%m%d-%H%M%S"
# Stands in a fingerprint for what differs from deploy to deploy and says nothing of the content.
PLACEHOLDER_ID = "00000000-000000-00000000"

PREPARED = "prepared"
SERVING = "serving"
RETIRED = "retired"
ROLLED_BACK = "rolled back"  # it served, and people went back from it
FAILED = "failed"


class ReleaseError(Exception):
    """Something the operator has to know; the message says what to do."""


@dataclass
class Manifest:
    """What is known of a release.

    `services` holds for each service its `port` (None: not routed), its `health`, its `probe`, its
    `singleton`, its `uid` (None: its image's) and its `containers`, a container's name to its fixed
    address or None. Its `home` names the earlier release whose project has these containers, where
    a rotation of secrets took them over. `domain` is the stack's; `assets` holds the volumes of
    that scope, each with its `owner` and its `from`.
    `actor` says who brought it: `who`, `run_number`, `run_url`, `commit`. `probe` and `seconds`
    tell of the roll that made it serve: requests `asked`, `lost`, the `slowest`; seconds per phase.
    `pending` names the commands with `when: after` that have not ended well yet. `definition` is
    the part of the fingerprint that says nothing of secrets.
    """

    id: str
    stack: str
    version: str
    fingerprint: str
    bank: int
    images: dict[str, str]
    services: dict[str, dict[str, Any]]
    routers: list[str]
    created: str
    outcome: str = PREPARED
    reason: str = ""
    finished: str = ""
    domain: str = ""
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    actor: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    definition: str = ""

    def home(self, service: str) -> str:
        """Return the release whose project has a service's containers, mostly this one."""
        home: str = self.services[service].get("home") or self.id
        return home

    @property
    def homes(self) -> set[str]:
        """The releases whose projects have containers of this one, this one too."""
        return {self.id, *map(self.home, self.services)}

    @property
    def containers(self) -> set[str]:
        """The names of all containers of the services."""
        return {name for service in self.services.values() for name in service["containers"]}

    @property
    def made_by_0_1_0(self) -> bool:
        """Tell whether version 0.1.0 made it: that wrote no `probe`, and its routes in YAML."""
        return any("probe" not in service for service in self.services.values())

    def write(self, release: Path) -> None:
        """Put the manifest into a release's directory, or replace the one there, in one step."""
        write_atomically(
            release / "manifest.json",
            json.dumps(asdict(self), indent=2, sort_keys=True) + "\n",
            mode=0o640,
        )


@dataclass(frozen=True)
class StackDirectory:
    """Where things of one stack lie below `host_directory`."""

    host: Path
    stack: str

    @property
    def root(self) -> Path:
        """The stack's own directory."""
        return self.host / "stacks" / self.stack

    @property
    def releases(self) -> Path:
        """The directory with one directory for each release."""
        return self.root / "releases"

    @property
    def routes(self) -> Path:
        """The dynamic file that says which release serves."""
        return self.dynamic / f"{self.stack}.yml"

    @property
    def dynamic(self) -> Path:
        """Traefik's directory of dynamic configuration."""
        return self.host / "traefik" / "dynamic"

    @property
    def private_routes(self) -> Path:
        """The dynamic file by which only the roll itself reaches a release that is being tried.

        No stack's name has a dot, so it is no stack's own file.
        """
        return self.dynamic / f"{self.stack}.next.yml"

    @property
    def jobs(self) -> Path:
        """The directory with one directory for each job of the host-side process."""
        return self.root / "jobs"

    @property
    def history(self) -> Path:
        """The file that each roll, good or bad, adds a line to."""
        return self.root / "history.jsonl"

    @property
    def lock(self) -> Path:
        """The file that whoever changes the stack holds a kernel lock on."""
        return self.root / "lock"

    @property
    def preview(self) -> Path:
        """The record that makes the stack a preview; no other stack has one."""
        return self.root / PREVIEW_RECORD

    @property
    def key(self) -> Path:
        """The host's own random key; it makes hashes of secrets useless elsewhere."""
        return self.host / "key"

    def release(self, release_id: str) -> Path:
        """Return the directory of one release."""
        return self.releases / release_id

    def temporary(self, release_id: str) -> Path:
        """Return the name that a release has while it is written or removed."""
        return self.releases / f".{release_id}~"

    def leftovers(self, newest: str) -> list[Path]:
        """List what interrupted deploys left; one newer than `newest` may be being written."""
        return [path for path in sorted(self.releases.glob(".*~")) if path.name < f".{newest}~"]

    def serving(self) -> str | None:
        """Read the id of the release that serves, or None before the first."""
        try:
            text = self.routes.read_text()
        except FileNotFoundError:
            return None
        found = re.search(
            rf"^{re.escape(ROUTES_HEADER)}({RELEASE_ID.pattern})$", text, re.MULTILINE
        )
        if not found:
            raise ReleaseError(
                f"{self.routes} does not name a release in a line that begins with "
                f"'{ROUTES_HEADER.strip()}'. It was edited by hand: put back the routes.yml of the "
                f"release that serves, from {self.releases}."
            )
        return found.group(1)

    def ids(self) -> list[str]:
        """List the releases on the host, the newest first."""
        if not self.releases.is_dir():
            return []
        return sorted(
            (entry.name for entry in self.releases.iterdir() if RELEASE_ID.fullmatch(entry.name)),
            reverse=True,
        )

    def manifest(self, release_id: str) -> Manifest:
        """Read a release's manifest; ReleaseError when it is missing or broken."""
        path = self.release(release_id) / "manifest.json"
        try:
            return Manifest(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ReleaseError(
                f"{path} cannot be read ({error}). Remove the directory {path.parent} if that "
                f"release does not serve, else restore the file from a backup."
            ) from error

    def manifests(self) -> list[Manifest]:
        """Read all manifests, the newest release first."""
        return [self.manifest(release_id) for release_id in self.ids()]

    def manifests_of_all_stacks(self) -> list[Manifest]:
        """Read the releases of every stack on the host: two may run the same image."""
        return [
            manifest
            for stack in sorted((self.host / "stacks").iterdir())
            for manifest in StackDirectory(self.host, stack.name).manifests()
        ]

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace a release's manifest in one step."""
        manifest.write(self.release(manifest.id))


def utc_now() -> str:
    """Return the host's time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id(fingerprint: str, now: datetime, taken: list[str]) -> str:
    """Make a release id: the host's UTC time and eight hex digits of what the release is.

    Ids sort by time, so a new one must come after every one that exists, whatever the clock did.
    """
    newest = max(taken, default="")
    candidate = f"{now.strftime(TIME_FORMAT)}-{fingerprint[:8]}"
    if candidate <= newest:
        later = datetime.strptime(newest[:15], TIME_FORMAT).replace(tzinfo=UTC)
        later += timedelta(seconds=1)
        candidate = f"{later.strftime(TIME_FORMAT)}-{fingerprint[:8]}"
    return candidate


def free_bank(taken: list[int]) -> int:
    """Choose the lowest bank of addresses that no release on the host has."""
    for bank in BANKS:
        if bank not in taken:
            return bank
    raise ReleaseError(
        f"All {len(BANKS)} banks of addresses are taken by releases on this host, some of them "
        f"of interrupted deploys. Remove those: docs/operations.md, 'All banks of addresses are "
        f"taken', says how."
    )


def definition_of(parts: dict[str, Any]) -> str:
    """Hash what a release is made of, besides its secrets."""
    return hashlib.sha256(_canonical(parts)).hexdigest()


def fingerprint(definition: str, secrets: dict[str, Any], key: bytes) -> str:
    """Hash all that a release is made of; secrets go in keyed, so that nobody can guess them.

    `secrets` are as `files.Content` has them.
    """
    keyed = hmac.new(key, _canonical(secrets), hashlib.sha256).hexdigest()
    return hashlib.sha256(f"{definition} {keyed}".encode()).hexdigest()


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def write_atomically(
    path: Path, text: str, *, mode: int, owner: int | None = None, group: int | None = None
) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    The temporary name begins with a dot and ends in `~`: Traefik takes it for no configuration.
    """
    temporary = path.with_name(f".{path.name}~")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if owner is not None or group is not None:
                os.fchown(
                    stream.fileno(), -1 if owner is None else owner, -1 if group is None else group
                )
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
