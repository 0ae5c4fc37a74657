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
follower:
  description: The command that waits on the host for news of the job, as a list of words.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import launch
from ansible_collections.slipway.stack.plugins.module_utils.job import (
    Job,
    job_named,
    new_job,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Start or find the job, and say how to follow it."""
    module = AnsibleModule(
        argument_spec={
            "job": {"type": "dict"},
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "id": {"type": "str"},
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
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, follower=launch.follower(place, stack))


if __name__ == "__main__":
    main()
