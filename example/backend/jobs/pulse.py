"""A sign of life for processes without a port: a file that is touched while the database answers.

`python -m jobs.pulse` is the health command. It imports next to nothing: it is asked all day long.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

TYPE_CHECKING = False  # as in typing, whose import takes longer than the question
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FILE = Path(os.environ.get("TMPDIR", "/tmp")) / "pulse"  # noqa: S108 - the container's own
# Seconds.
EVERY = 2.0
TOO_OLD = 10.0


async def beat(ask: Callable[[], Awaitable[object]]) -> None:
    """Touch the file for as long as asking the database goes well; without end."""
    import asyncio

    while True:
        try:
            await ask()
        except Exception:  # noqa: S110 - whatever it is: no answer, no pulse
            pass
        else:
            FILE.touch()
        await asyncio.sleep(EVERY)


def is_there() -> bool:
    """Say whether the last beat is young enough."""
    try:
        return time.time() - FILE.stat().st_mtime < TOO_OLD
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_there() else "no pulse: the database does not answer this process")
