"""Start a command again and again, and send each start the stop signal at a moment of its own.

`python -m tests.starting <command> <seconds>…` prints a line per start: the exit code, or `hangs`.
The seconds count from when the command begins its work. Django is loaded once, and each start is a
fork: so 25 starts take two seconds.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

import django
from django.core.checks import run_checks

import manage

PATIENCE = 5.0


def start(command: str, begun: int) -> None:
    """Become the command, which says when it begins; never returns."""
    run = asyncio.run

    def announced(main: Coroutine[Any, Any, None]) -> None:
        os.write(begun, b".")
        run(main)

    asyncio.run = announced  # type: ignore[assignment]
    sys.argv = ["manage.py", command]
    try:
        manage.main()
        os._exit(0)
    finally:
        os._exit(1)


def stop(command: str, after: float) -> str:
    """Start the command, send the stop signal so long after it has begun, return its end."""
    begins, begun = os.pipe()
    child = os.fork()
    if child == 0:
        start(command, begun)
    os.close(begun)
    with os.fdopen(begins, "rb") as pipe:
        pipe.read(1)
    time.sleep(after)
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return str(os.waitstatus_to_exitcode(status))
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


if __name__ == "__main__":
    django.setup()
    run_checks()
    for seconds in sys.argv[2:]:
        print(stop(sys.argv[1], float(seconds)), flush=True)
