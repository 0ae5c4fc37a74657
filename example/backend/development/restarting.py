"""Run a command, and start it over when the code changes.

    python -m development.restarting python manage.py run_worker

Django's own server does that by itself; this is for the processes that have no port. One that ends
is started over too, in a while: it may have lost the database, which will be back.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from watchfiles import PythonFilter, watch

CODE = Path(__file__).resolve().parent.parent
# Seconds until a process that ended is started over, and those that one has to end in.
RETRY = 3
GRACE = 8


def main(command: Sequence[str]) -> None:
    """Keep the command running until the stop signal."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    process = subprocess.Popen(command)  # noqa: S603 - the developer's own command
    try:
        for changes in watch(
            CODE,
            watch_filter=PythonFilter(),
            rust_timeout=RETRY * 1000,
            yield_on_timeout=True,
            stop_event=stop,
        ):
            if changes or process.poll() is not None:
                end(process)
                process = subprocess.Popen(command)  # noqa: S603
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Let the process end by itself, or kill it."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
