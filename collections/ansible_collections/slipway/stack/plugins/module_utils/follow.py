"""Waiting on the host for news of a job, run from the job's own copy of the code.

    python3 -m ansible_collections.slipway.stack.plugins.module_utils.follow <job> <stack> <after>

Prints JSON: `progress`, the lines after the first `after`; `result`, how it ended, or null while it
goes on; `died`, what to tell the operator when there will be no result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import unit
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

# A line that is silent for longer might be cut.
PATIENCE_SECONDS = 20
# Lines that come close together travel together: each answer costs the host a process.
GATHER_SECONDS = 1.5
POLL_SECONDS = 0.05
LOOK_SECONDS = 1.0  # between two looks at the process itself, which cost more


def news(place: JobDirectory, stack: str, after: int, clock: Clock) -> dict[str, Any]:
    """Wait for the next lines of the progress, or for the end."""
    begun = looked = clock.now()
    died = ""
    while place.result() is None and not died:
        now = clock.now()
        waited = now - begun
        if waited > PATIENCE_SECONDS or (waited > GATHER_SECONDS and place.progress(after)):
            break
        if now - looked > LOOK_SECONDS:
            looked = now
            if not unit.alive(place, stack) and place.result() is None:
                died = (
                    f"The process on the host ended before its time: it was killed, or the host "
                    f"is out of memory. What served then serves on. Run the same command again: "
                    f"it finishes the work. What the process said: "
                    f"journalctl --unit {unit.unit_name(stack, place.path.name)}"
                )
        clock.pause(POLL_SECONDS)
    return {"progress": place.progress(after), "result": place.result(), "died": died}


if __name__ == "__main__":
    try:
        found = news(JobDirectory(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), Clock())
    except (ReleaseError, OSError) as error:
        found = {"progress": [], "result": None, "died": str(error)}
    json.dump(found, sys.stdout)
