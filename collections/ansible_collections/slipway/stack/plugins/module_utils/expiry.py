"""Removing the previews whose days are over: what the timer `slipway-previews` runs on a host.

    python3 -S -m ansible_collections.slipway.stack.plugins.module_utils.expiry <host directory>

A preview is looked at again when nothing else is under way: a deploy may have renewed it meanwhile.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils import previews
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.door import active_address
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import utc_now
from ansible_collections.slipway.stack.plugins.module_utils.lock import Holder, holding_host
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREVIEW_RECORD,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.removal import Removal, broken_off

WAIT_SECONDS = 1800  # for deploys that are under way; the timer comes again


def over(directory: StackDirectory, now: datetime) -> bool:
    """Tell whether a stack is a preview whose days are over."""
    preview = previews.read(directory)
    return preview is not None and previews.expires(directory.host, preview) <= now


def removed(
    host: Path, engine: Engine, clock: Clock, now: Callable[[], datetime]
) -> Iterator[tuple[str, str]]:
    """Remove what is over; yield each stack's name with what failed, or nothing.

    First what a removal left that was broken off: no record is there that would call for it.
    """
    for path in broken_off(host):
        stack = path.name[1:-1]
        try:
            with held(host, stack, clock):
                shutil.rmtree(path)
            yield stack, ""
        except (ReleaseError, OSError) as error:
            yield stack, str(error)
    for path in sorted((host / "stacks").glob(f"*/{PREVIEW_RECORD}")):
        directory = StackDirectory(host, path.parent.name)
        try:
            if over(directory, now()) and _remove(directory, engine, clock, now):
                yield directory.stack, ""
        except (ReleaseError, OSError) as error:
            yield directory.stack, str(error)


def held(host: Path, stack: str, clock: Clock) -> AbstractContextManager[None]:
    """Hold the host alone for the removal of a stack."""
    holder = Holder("removal", who="slipway-previews.timer", stack=stack)
    return holding_host(host / "stacks", holder, wait=WAIT_SECONDS, clock=clock, progress=print)


def _remove(
    directory: StackDirectory, engine: Engine, clock: Clock, now: Callable[[], datetime]
) -> bool:
    """Remove a preview when nothing else is under way; tell whether it still was over then."""
    with held(directory.host, directory.stack, clock):
        if not over(directory, now()):
            return False
        Removal(directory, engine, lambda: Proxy(active_address()), clock).run()
        return True


def main(host: Path) -> int:
    """Remove what is over, and say so; 1 when something could not be removed."""
    failed = False
    for stack, problem in removed(host, Engine(), Clock(), utc_now):
        print(f"{stack}: {problem or 'its days were over, it is removed.'}", flush=True)
        failed = failed or bool(problem)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
