"""Run one of a release's commands; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_command
short_description: Run a command in a container of a new release
description:
  - Runs a one-shot service of the release's compose file to its end, such as the migrations.
  - When it fails, the release is marked as failed and what serves goes on serving.
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
  slipway.stack.release_command:
    host_directory: /srv/slipway
    stack: production
    release: 20261122-101500-4f3a9c1e
    name: migrate
    timeout: 600
"""

RETURN = r"""
output:
  description: What the command wrote, both streams together.
  type: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.command import run_command
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Read the parameters, run the command, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "timeout": {"type": "int", "required": True},
            "fatal": {"type": "bool", "default": True},
        },
    )
    parameters = module.params
    directory = StackDirectory(Path(parameters["host_directory"]), parameters["stack"])
    try:
        output = run_command(
            directory,
            Engine(),
            parameters["release"],
            parameters["name"],
            timeout=parameters["timeout"],
            fatal=parameters["fatal"],
        )
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, output=output)


if __name__ == "__main__":
    main()
