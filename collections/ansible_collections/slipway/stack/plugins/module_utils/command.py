"""Running one of a release's one-shot commands to its end."""

from __future__ import annotations

import re

from ansible_collections.slipway.stack.plugins.module_utils.definition import command_container
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import text_of

LOG_LINES = 40
# A secret such as `app` is struck out where it stands alone, not out of paths and other words; a
# line of a longer one such as `{` not at all.
SHORT = 8


def run_command(
    directory: StackDirectory, engine: Engine, release_id: str, name: str, timeout: int
) -> str:
    """Start the command's container, wait for its end, remove it and return what it wrote.

    ReleaseError names the command and holds its last lines, without the release's secrets.
    """
    container = command_container(directory.stack, release_id, name)
    try:
        reason = _run(engine, container, timeout)
        output = redacted(engine.logs(container, LOG_LINES), directory, release_id)
        if reason:
            raise ReleaseError(
                f"The command '{name}' of stack_commands {redacted(reason, directory, release_id)}."
                f" Its last lines:\n{output or '(it wrote nothing)'}"
            )
        return output
    finally:
        engine.remove(container)


def _run(engine: Engine, container: str, timeout: int) -> str:
    """Run the command to its end; say how it failed, or nothing."""
    try:
        engine.start(container)
    except EngineError as error:
        return f"could not start: {error}"
    try:
        code = engine.wait(container, timeout)
    except EngineError as error:
        return f"was ended after {timeout} seconds (its timeout): {error}"
    return f"ended with code {code}" if code else ""


def redacted(text: str, directory: StackDirectory, release_id: str) -> str:
    """Strike the release's secrets out of a text that operators and pipelines will show."""
    paths = (directory.release(release_id) / "secrets").glob("*/*")
    shown = {part for path in paths for part in _parts(text_of(path).strip())}
    # The longest first: one secret may be the beginning of another.
    for secret in sorted(shown, key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < SHORT:
            pattern = rf"(?<![\w./-]){pattern}(?![\w./-])"
        text = re.sub(pattern, "********", text)
    return text


def _parts(secret: str) -> list[str]:
    """Return a secret, and each line of it that tells something: logs show lines."""
    lines = [line.strip() for line in secret.splitlines()]
    return [*filter(None, [secret]), *(line for line in lines if len(line) >= SHORT)]
