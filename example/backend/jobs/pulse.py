"""A sign of life for processes without a port: a file that is touched while the database answers.

`python -m jobs.pulse` is the health command. It starts no Django, so that asking costs little.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

FILE = Path(tempfile.gettempdir()) / "pulse"
# Seconds.
EVERY = 2.0
TOO_OLD = 10.0


async def beat(ask: Callable[[], Awaitable[object]]) -> None:
    """Touch the file for as long as asking the database goes well; without end."""
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
