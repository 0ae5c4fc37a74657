"""The previews on a host: which there are, what each is, and until when.

A preview is a stack with a record beside its releases, `<stack directory>/preview.json`. There is
no other list: whoever removes the directory has removed the preview.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.history import aligned
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import TIME
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREVIEW_RECORD,
    TIME_FORMAT,
    ReleaseError,
    StackDirectory,
    write_atomically,
)

# A deploy that comes so late gives the preview its days anew, whether or not it changes anything.
LATE = timedelta(days=1)
COLUMNS = ["preview", "branch", "of", "address", "version", "age", "goes in"]


@dataclass(frozen=True)
class Preview:
    """One preview: the branch that it shows, the stack that it is derived from, and its place.

    `created` and `renewed` are ISO 8601 in UTC, to the second. It goes `days` after it was renewed,
    or after its newest release was made if that is later.
    """

    stack: str
    branch: str
    of: str
    domain: str
    subnet: str
    days: float
    created: str
    renewed: str

    @property
    def command(self) -> str:
        """How to remove it, but for the inventory."""
        branch = shlex.quote(f"branch={self.branch}")
        return f"ansible-playbook playbooks/preview.yml -e state=absent -e {branch}"


@dataclass(frozen=True)
class Claim:
    """What a preview wants: a name and a domain for a branch of a stack, and for how many days.

    `most` previews may be on the host. `version` is what is to be deployed, empty for what serves.
    """

    stack: str
    branch: str
    of: str
    domain: str
    days: float
    most: int
    version: str


def read(directory: StackDirectory) -> Preview | None:
    """Read a stack's record; None when it is no preview, ReleaseError when it cannot be read."""
    path = directory.preview
    try:
        return Preview(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ReleaseError(
            f"{path} cannot be read ({error}). Put back what it was from a backup, or remove the "
            f"stack: playbooks/remove.yml with -e stack_name={directory.stack}."
        ) from error


def write(directory: StackDirectory, preview: Preview) -> None:
    """Write a stack's record in one step."""
    directory.root.mkdir(mode=0o755, exist_ok=True)
    text = json.dumps(asdict(preview), indent=2, sort_keys=True) + "\n"
    write_atomically(directory.preview, text, mode=0o640)


def on_host(host: Path) -> list[Preview]:
    """List the previews of all stacks on a host, the oldest first."""
    found = [
        read(StackDirectory(host, path.parent.name))
        for path in sorted((host / "stacks").glob(f"*/{PREVIEW_RECORD}"))
    ]
    return sorted((one for one in found if one), key=lambda one: one.created)


def expires(host: Path, preview: Preview) -> datetime:
    """Return when a preview goes."""
    since = moment(preview.renewed)
    if ids := StackDirectory(host, preview.stack).ids():
        newest = datetime.strptime(ids[0][:15], TIME_FORMAT).replace(tzinfo=UTC)
        since = max(since, newest)
    return since + timedelta(days=preview.days)


def moment(text: str) -> datetime:
    """Read a time as `release.utc_now` writes it."""
    return datetime.fromisoformat(text)


def claimed(
    host: Path, claim: Claim, subnet: Callable[[], str], now: datetime
) -> tuple[Preview, bool]:
    """Return the record that a claim leads to, and whether the preview is new; nothing is written.

    `subnet` chooses one for a new preview. ReleaseError says why it gets no place.
    """
    directory = StackDirectory(host, claim.stack)
    if not StackDirectory(host, claim.of).root.is_dir():
        raise ReleaseError(
            f"This host is not provisioned for the stack '{claim.of}', whose branch this is. Run "
            f"playbooks/provision.yml with the same inventory first. Nothing was changed."
        )
    written = now.strftime(TIME)
    there = read(directory)
    if there is None:
        if not unclaimed(directory):
            raise ReleaseError(no_preview(directory))
        if refusal := no_room(host, claim, now):
            raise ReleaseError(refusal)
        fresh = Preview(
            *(claim.stack, claim.branch, claim.of, claim.domain, subnet(), claim.days),
            created=written,
            renewed=written,
        )
        return fresh, True
    if refusal := of_another(there, claim.branch, claim.of):
        raise ReleaseError(refusal)
    kept = replace(there, domain=claim.domain, days=claim.days)
    late = expires(host, kept) < now + min(LATE, timedelta(days=claim.days) / 2)
    return (replace(kept, renewed=written) if late else kept), False


def unclaimed(directory: StackDirectory) -> bool:
    """Tell whether nothing lies where a preview would: no more than a claim that was broken off."""
    root = directory.root
    return not root.exists() or all(path.name == f".{PREVIEW_RECORD}~" for path in root.iterdir())


def removal_refusal(directory: StackDirectory, branch: str, of: str) -> str:
    """Say why a stack may not be removed as the preview of a branch, or nothing."""
    there = read(directory)
    if there is None:
        return "" if unclaimed(directory) else no_preview(directory)
    return of_another(there, branch, of)


def no_preview(directory: StackDirectory) -> str:
    """Say that a stack is an ordinary one."""
    return (
        f"The stack '{directory.stack}' is on this host and is no preview: {directory.preview} is "
        f"missing. Nothing was changed."
    )


def of_another(there: Preview, branch: str, of: str) -> str:
    """Say that a preview shows another branch than the one that is meant, or nothing."""
    if (there.branch, there.of) == (branch, of):
        return ""
    return (
        f"The preview '{there.stack}' shows the branch '{there.branch}' of '{there.of}', and the "
        f"branch '{branch}' of '{of}' has the same short name. Rename the branch, or remove that "
        f"preview: {there.command}. Nothing was changed."
    )


def no_room(host: Path, claim: Claim, now: datetime) -> str:
    """Say why a new preview cannot come, or nothing."""
    others = on_host(host)
    if len(others) >= claim.most:
        there = [
            f"  - '{one.branch}' of {one.of}, {age(one, now)} old, goes in {left(host, one, now)}; "
            f"to remove it: {one.command}"
            for one in others
        ]
        head = (
            f"There is no room for a preview of '{claim.branch}': preview_max is {claim.most}, and "
            f"this host has"
        )
        cure = (
            "Remove one with the inventory of its stack, or raise preview_max. Nothing was changed."
        )
        return "\n".join([head, *there, cure])
    if not claim.version:
        return (
            f"There is no preview of '{claim.branch}' yet: say which version to deploy, "
            f"-e version=<tag of its images>. Nothing was changed."
        )
    return ""


def age(preview: Preview, now: datetime) -> str:
    """Say how old a preview is."""
    return span(now - moment(preview.created))


def left(host: Path, preview: Preview, now: datetime) -> str:
    """Say how long a preview stays."""
    rest = expires(host, preview) - now
    return span(rest) if rest > timedelta() else "the next hour"


def span(length: timedelta) -> str:
    """Write a length of time as people do, rounded down."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if number := seconds // size:
            return f"{number} {unit}{'s' * (number > 1)}"
    return "less than a minute"


def listing(host: Path, now: datetime) -> list[dict[str, Any]]:
    """Describe the previews on a host, the oldest first; `version` is empty while none serves."""
    found = []
    for one in on_host(host):
        directory = StackDirectory(host, one.stack)
        serving = directory.serving()
        found.append(
            {
                **asdict(one),
                "version": directory.manifest(serving).version if serving else "",
                "expires": expires(host, one).strftime(TIME),
                "age": age(one, now),
                "left": left(host, one, now),
            }
        )
    return found


def table(previews: Sequence[dict[str, Any]]) -> list[str]:
    """Write the previews as aligned lines."""
    if not previews:
        return ["No preview is on this host."]
    rows = [
        [
            *(one["stack"], one["branch"], one["of"], f"https://{one['domain']}/"),
            *(one["version"] or "-", one["age"], one["left"]),
        ]
        for one in previews
    ]
    return aligned([COLUMNS, *rows])
