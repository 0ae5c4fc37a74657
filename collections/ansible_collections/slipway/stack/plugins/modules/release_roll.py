"""Roll a stack to a release; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_roll
short_description: Make a prepared release the one that serves
description:
  - Starts one process on the host, a transient systemd unit, which does the whole of the work under
    the stack's lock. It runs the commands that come first, starts the release beside the one that
    serves, waits until it is healthy, asks it through Traefik by a private route, switches to it by
    renaming one file, watches it under its visitors, drains and stops the old release, and drops
    what is no longer kept.
  - Goes back by itself when the release turns out to be bad.
  - The process needs nobody to follow it. A controller that is killed, or whose line is cut, leaves
    it alone, and the next deploy waits for it or finds its result.
  - As a task it is an action that follows the process and shows a line for each phase.
options:
  job:
    description:
      - What is to be done, as C(roles/stack/vars/main.yml) puts it together.
      - Either this or O(id) is required.
    type: dict
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
  stack:
    description: The stack's name.
    type: str
    required: true
  id:
    description: The id of a job that was started before and is to be followed.
    type: str
  after:
    description: How many lines of its progress are known already.
    type: int
    default: 0
  patience:
    description: Seconds to wait for the next lines, or for the end.
    type: int
    default: 20
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
author: Slipway
"""

EXAMPLES = r"""
- name: Roll to the release
  slipway.stack.release_roll:
    host_directory: /srv/slipway
    stack: production
    job: "{{ __stack_job }}"
"""

RETURN = r"""
id:
  description: The job's id.
  type: str
  returned: success
progress:
  description: The lines of its progress after O(after).
  type: list
  returned: success
result:
  description: How the job ended, with its C(report); null while it goes on.
  type: dict
  returned: success
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import launch, unit
from ansible_collections.slipway.stack.plugins.module_utils.job import (
    Job,
    JobDirectory,
    job_named,
    new_job,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)

POLL_SECONDS = 0.05
# Lines that come close together travel together.
GATHER_SECONDS = 1.0
LOOK_SECONDS = 1.0  # between two looks at the process itself, which cost more


def main() -> None:
    """Start or find the job, wait for news, answer."""
    module = AnsibleModule(
        argument_spec={
            "job": {"type": "dict"},
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "id": {"type": "str"},
            "after": {"type": "int", "default": 0},
            "patience": {"type": "int", "default": 20},
        },
        required_one_of=[("job", "id")],
        mutually_exclusive=[("job", "id")],
    )
    given = module.params
    stack = given["stack"]
    try:
        if given["id"]:
            place = job_named(StackDirectory(Path(given["host_directory"]), stack), given["id"])
        else:
            place = new_job(Job.from_mapping(given["job"]))
            launch.start(place, stack)
        progress = news(place, stack, given["after"], given["patience"])
        result = place.result()
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, id=place.path.name, progress=progress, result=result)


def news(place: JobDirectory, stack: str, after: int, patience: float) -> list[dict[str, object]]:
    """Wait for the next lines of the progress, or for the end; ReleaseError when it just died."""
    begun = looked = time.monotonic()
    while place.result() is None:
        now = time.monotonic()
        if now > begun + patience or (now > begun + GATHER_SECONDS and place.progress(after)):
            break
        if now > looked + LOOK_SECONDS:
            looked = now
            if not unit.alive(place, stack) and place.result() is None:
                raise ReleaseError(
                    f"The process on the host ended before its time: it was killed, or the host "
                    f"is out of memory. What served then serves on. Run the same command again: "
                    f"it finishes the work. What the process said: "
                    f"journalctl --unit {unit.unit_name(stack, place.path.name)}"
                )
        time.sleep(POLL_SECONDS)
    return place.progress(after)


if __name__ == "__main__":
    main()
