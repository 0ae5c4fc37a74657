"""Put routes of a stack beside those of its release, or take them away; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_routes
short_description: Publish routes of a stack that belong to no release
description:
  - Writes a file into Traefik's dynamic directory in one step, or removes it, and waits until
    Traefik's API shows that it was taken.
options:
  kind:
    description: What the routes are for.
    type: str
    choices: [fallback, maintenance]
    required: true
  state:
    description: Whether the routes are to be there.
    type: str
    choices: [present, absent]
    default: present
  routes:
    description: The routes as base64 of JSON, since they may hold a password.
    type: str
extends_documentation_fragment:
  - slipway.stack.host
  - slipway.stack.host.stack
attributes:
  check_mode:
    support: full
author: Slipway
"""

EXAMPLES = r"""
- name: Open the stack again
  slipway.stack.edge_routes:
    host_directory: /srv/slipway
    stack: production
    kind: maintenance
    state: absent
"""

RETURN = r"""
path:
  description: The file in Traefik's dynamic directory.
  type: str
  returned: success
  sample: /srv/slipway/traefik/dynamic/production.maintenance.yml
"""

import base64
import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.door import active_address
from ansible_collections.slipway.stack.plugins.module_utils.edge_routes import EdgeRoutes
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Read the parameters, change what differs, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "kind": {"choices": ["fallback", "maintenance"], "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "routes": {"type": "str", "no_log": True},
        },
        required_if=[("state", "present", ("routes",))],
        supports_check_mode=True,
    )
    given = module.params
    directory = StackDirectory(Path(given["host_directory"]), given["stack"])
    edge = EdgeRoutes(directory, given["kind"], lambda: Proxy(active_address()), Clock())
    wanted = json.loads(base64.b64decode(given["routes"])) if given["state"] == "present" else None
    try:
        changed = edge.settle(wanted, check=module.check_mode)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{edge.path}: {error.strerror}")
    module.exit_json(changed=changed, path=str(edge.path))


if __name__ == "__main__":
    main()
