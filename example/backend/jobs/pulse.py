"""A sign of life for processes without a port: a file that is touched while the database answers.

`python -m jobs.pulse` is the health command, asked every two seconds. It imports next to nothing,
so that asking costs little.
"""

import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

FILE = Path(os.environ.get("TMPDIR", "/tmp"), "pulse")  # noqa: S108
# Seconds.
EVERY = 2.0
TOO_OLD = 10.0


async def beat(ask: Callable[[], Awaitable[object]]) -> None:
    """Touch the file for as long as asking the database goes well; without end."""
    import asyncio  # which takes longer to import than the rest of this takes

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
