"""Running one of a release's one-shot commands to its end."""

from __future__ import annotations

from ansible_collections.slipway.stack.plugins.module_utils.definition import project_name
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    ReleaseError,
    StackDirectory,
    utc_now,
)

LOG_LINES = 40


def run_command(
    directory: StackDirectory,
    engine: Engine,
    release_id: str,
    name: str,
    *,
    timeout: int,
    fatal: bool,
) -> str:
    """Run the command's container, wait for its end and return what it wrote.

    ReleaseError names the command and holds its last lines, without the release's secrets.
    """
    path = directory.release(release_id)
    container = f"{project_name(directory.stack, release_id)}-{name}"
    # What an interrupted deploy left would hold the name.
    engine.run("rm", "--force", container)
    try:
        engine.compose(
            path, "run", "--detach", "--no-deps", "--pull", "never", "--name", container, name
        )
        try:
            code = int(engine.run("wait", container, timeout=timeout))
            reason = f"ended with code {code}" if code else ""
        except EngineError as error:
            reason = f"was ended after {timeout} seconds (its timeout): {error}"
        output = redacted(engine.logs(container, LOG_LINES), directory, release_id)
        if not reason:
            return output
        reason = (
            f"The command '{name}' of stack_commands {reason}. Its last lines:\n"
            f"{output or '(it wrote nothing)'}"
        )
        if fatal:
            manifest = directory.manifest(release_id)
            manifest.outcome, manifest.reason, manifest.finished = FAILED, reason, utc_now()
            directory.write_manifest(manifest)
            serving = directory.serving()
            reason += f"\nNothing was switched: {serving or 'no release'} serves as before."
        raise ReleaseError(reason)
    finally:
        engine.run("rm", "--force", container)


def redacted(text: str, directory: StackDirectory, release_id: str) -> str:
    """Strike the release's secrets out of a text that operators and pipelines will show."""
    for path in sorted((directory.release(release_id) / "secrets").glob("*/*")):
        secret = path.read_text()
        text = text.replace(secret, "********") if secret else text
    return text
