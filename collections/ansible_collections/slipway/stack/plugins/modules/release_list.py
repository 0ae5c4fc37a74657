"""List the releases of a stack; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_list
short_description: List the releases of a stack
description:
  - Reads the manifests of the releases that are kept on the host, and the history of all rolls.
  - As a task it is an action, which explains a host that does not know the user.
options:
  rolls:
    description: How many of the last rolls to list.
    type: int
    default: 10
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
- name: List the releases
  slipway.stack.release_list:
    host_directory: /srv/slipway
    stack: production
  register: __stack_releases
"""

RETURN = r"""
releases:
  description: The releases on the host, the newest first, each with C(id), C(serves), C(version),
    C(outcome), C(reason), C(created), C(finished), C(actor), C(images), C(probe) and C(seconds).
  type: list
  elements: dict
  returned: success
history:
  description: The last rolls, the oldest first.
  type: list
  elements: dict
  returned: success
table:
  description: Both as aligned lines.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.history import (
    listing,
    read,
    release_table,
    roll_table,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Read the parameters, list, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "rolls": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    given = module.params
    directory = StackDirectory(Path(given["host_directory"]), given["stack"])
    try:
        releases = listing(directory)
        rolls = read(directory)[-given["rolls"] :]
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        releases=releases,
        history=rolls,
        table=[
            f"Releases of '{given['stack']}' on this host (* serves)",
            *release_table(releases),
            "",
            "Last rolls",
            *roll_table(rolls),
        ],
    )


if __name__ == "__main__":
    main()
