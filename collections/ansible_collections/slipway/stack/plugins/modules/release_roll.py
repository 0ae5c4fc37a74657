"""Roll a stack to a release; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_roll
short_description: Make a prepared release the one that serves
description:
  - Starts the release beside the one that serves, waits until every container is healthy, switches
    Traefik to it by renaming one file, confirms it through Traefik's API, drains and stops the old
    release, and drops the releases that are not kept any more.
  - Until the switch every failure leaves the old release serving.
  - Finishes what an interrupted roll of the same release began.
options:
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
  proxy_address:
    description: The address of Traefik's active slot on the door network.
    type: str
    required: true
  stack:
    description: The stack's name.
    type: str
    required: true
  release:
    description: The id of the release that is to serve.
    type: str
    required: true
  drain_timeout:
    description: Seconds that requests in flight at the old release may take to end.
    type: int
    required: true
  keep:
    description: How many releases stay on the host, the serving one among them.
    type: int
    required: true
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
    proxy_address: 10.213.0.2
    stack: production
    release: 20261122-101500-4f3a9c1e
    drain_timeout: 30
    keep: 5
"""

RETURN = r"""
old:
  description: The id of the release that served before, or null.
  type: str
  returned: success
new:
  description: The id of the release that serves now.
  type: str
  returned: success
seconds:
  description: The seconds that each phase took.
  type: dict
  returned: success
  sample: {start: 0.9, healthy: 1.8, switch: 0.2, drain: 1.1, stop: 1.4}
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.command import redacted
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.roll import Roll


def main() -> None:
    """Read the parameters, roll, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "proxy_address": {"type": "str", "required": True},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "drain_timeout": {"type": "int", "required": True},
            "keep": {"type": "int", "required": True},
        },
    )
    parameters = module.params
    directory = StackDirectory(Path(parameters["host_directory"]), parameters["stack"])
    roll = Roll(
        directory,
        Engine(),
        Proxy(parameters["proxy_address"]),
        drain_timeout=parameters["drain_timeout"],
        keep=parameters["keep"],
    )
    try:
        report = roll.run(parameters["release"])
    except (ReleaseError, OSError) as error:
        serving = directory.serving()
        module.fail_json(
            msg=f"{redacted(str(error), directory, parameters['release'])}\n"
            f"{serving or 'No release'} serves."
        )
    module.exit_json(changed=True, **asdict(report))


if __name__ == "__main__":
    main()
