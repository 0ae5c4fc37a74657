"""Choose the release to go back to; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan
short_description: Choose the release that a stack goes back to
description:
  - Takes the newest kept release that served before the one that serves now, or the one that is
    named.
  - Refuses a release that has never served, or whose images are no longer on the host.
  - Asks no registry and changes nothing; what it returns has the shape of what
    M(slipway.stack.release_plan) returns.
  - As a task it is an action, which explains a host that does not know the user.
options:
  release:
    description: The id of a kept release, or a version, of which the newest kept release is meant.
      Empty means the previous release.
    type: str
    default: ""
  lock_wait:
    description: Seconds to wait for another deploy, rollback or provision to end.
    type: int
    default: 0
extends_documentation_fragment:
  - slipway.stack.host
  - slipway.stack.host.stack
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: It changes nothing.
author: Slipway
"""

EXAMPLES = r"""
- name: Choose the release to go back to
  slipway.stack.rollback_plan:
    host_directory: /srv/slipway
    stack: production
    release: "1.4.0"
  register: __stack_plan
"""

RETURN = r"""
action:
  description: What there is to do, C(none), C(finish) or C(rollback).
  type: str
  returned: success
  sample: rollback
manifest:
  description: The release to go back to.
  type: dict
  returned: success
serving:
  description: The id of the release that serves now.
  type: str
  returned: success
  sample: 20261122-101500-4f3a9c1e
job:
  description: The id of the job under way that already brings this release, or null.
  type: str
  returned: success
busy:
  description: Who holds the stack or the host, since when and doing what.
  type: str
  returned: failure, when the wait for somebody else was over
report:
  description: The plan in lines for people.
  type: list
  elements: str
  returned: success
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.lock import Holder, StackBusyError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.rollback import (
    plan_rollback,
    rollback_lines,
)
from ansible_collections.slipway.stack.plugins.module_utils.turn import in_turn


def main() -> None:
    """Read the parameters, choose, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "default": ""},
            "lock_wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    directory = StackDirectory(Path(given["host_directory"]), given["stack"])
    try:
        make = partial(plan_rollback, directory, Engine(), given["release"])
        holder = Holder("plan of a rollback")
        plan = (
            make()
            if module.check_mode
            else in_turn(directory, make, holder, wait=given["lock_wait"])
        )
        report = rollback_lines(plan, directory.manifest(plan.serving or plan.manifest.id))
    except StackBusyError as busy:
        module.fail_json(msg=str(busy), busy=busy.by)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        action=plan.action,
        manifest=asdict(plan.manifest),
        serving=plan.serving,
        job=plan.job,
        report=report,
    )


if __name__ == "__main__":
    main()
