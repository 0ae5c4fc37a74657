"""Run a release's commands; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_commands
short_description: Run commands in containers of a release, one after the other
description:
  - Runs one-shot services of the release's compose file to their end, such as the migrations.
  - The first that fails ends it. Before the switch the release is then marked as failed and what
    serves goes on serving.
options:
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
  stack:
    description: The stack's name.
    type: str
    required: true
  release:
    description: The release's id.
    type: str
    required: true
  commands:
    description: The commands in their order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The command's name in C(stack_commands).
        type: str
        required: true
      timeout:
        description: Seconds that the command may take; then it is ended.
        type: int
        required: true
  fatal:
    description: Whether a failure fails the release; false for what runs after the switch.
    type: bool
    default: true
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
author: Slipway
"""

EXAMPLES = r"""
- name: Apply the migrations
  slipway.stack.release_commands:
    host_directory: /srv/slipway
    stack: production
    release: 20261122-101500-4f3a9c1e
    commands:
      - {name: migrate, timeout: 600}
"""

RETURN = r"""
output:
  description: What each command wrote, both streams together, by its name.
  type: dict
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.command import run_command
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
    locked,
)


def main() -> None:
    """Read the parameters, run the commands, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "commands": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "timeout": {"type": "int", "required": True},
                },
            },
            "fatal": {"type": "bool", "default": True},
        },
    )
    parameters = module.params
    directory = StackDirectory(Path(parameters["host_directory"]), parameters["stack"])
    try:
        with locked(directory):
            output = {
                command["name"]: run_command(
                    directory,
                    Engine(),
                    parameters["release"],
                    command["name"],
                    timeout=command["timeout"],
                    fatal=parameters["fatal"],
                )
                for command in parameters["commands"]
            }
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(output), output=output)


if __name__ == "__main__":
    main()
