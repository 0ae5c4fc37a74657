"""A freeze: people say that a stack is not to be deployed for a while, and why.

It is a file of the stack's, `freeze.json`. A rollback is never refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
    write_atomically,
)


@dataclass(frozen=True)
class Freeze:
    """Why a stack is frozen, who said so (empty: not known), and since when (ISO 8601 in UTC)."""

    reason: str
    who: str
    since: str

    def text(self) -> str:
        """Return what the file holds."""
        return json.dumps(asdict(self), indent=2) + "\n"


def freeze_path(directory: StackDirectory) -> Path:
    """Return the file that freezes a stack."""
    return directory.root / "freeze.json"


def read_freeze(directory: StackDirectory) -> Freeze | None:
    """Read why a stack is frozen; None when it is not. ReleaseError when nobody can tell."""
    path = freeze_path(directory)
    try:
        return Freeze(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ReleaseError(
            f"{path} cannot be read ({error}), so the stack counts as frozen. Run "
            f"playbooks/freeze.yml or playbooks/unfreeze.yml: they replace or remove it."
        ) from error


def set_freeze(directory: StackDirectory, freeze: Freeze) -> None:
    """Freeze a stack; what froze it before is replaced."""
    write_atomically(freeze_path(directory), freeze.text(), mode=0o640)


def clear_freeze(directory: StackDirectory) -> None:
    """Let a stack be deployed again."""
    freeze_path(directory).unlink(missing_ok=True)


def refusal(directory: StackDirectory, *, ignore: bool) -> str:
    """Say why a frozen stack may not be deployed; empty when it may."""
    if ignore:
        return ""
    try:
        freeze = read_freeze(directory)
    except ReleaseError as error:
        return str(error)
    if freeze is None:
        return ""
    by = f" by {freeze.who}" if freeze.who else ""
    return (
        f"The stack '{directory.stack}' is frozen{by} since {freeze.since}: {freeze.reason}. "
        f"Deploy after playbooks/unfreeze.yml has run, or deploy this once with "
        f"stack_ignore_freeze: -e '{{\"stack_ignore_freeze\": true}}'. A rollback is not refused."
    )
