"""Connect Traefik to the edge networks of the host's stacks; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_join
short_description: Connect Traefik to the edge networks of the host's stacks
description:
  - Connects the Traefik that visitors are led to, as it runs, to each edge network that it is not
    on yet. Nothing else of it changes, whatever the inventory says.
  - Waits for a flip that is under way.
options:
  subnet:
    description: The door's subnet.
    type: str
    required: true
  lock_wait:
    description: The most seconds to wait for a flip.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
author: Slipway
"""

EXAMPLES = r"""
- name: Connect Traefik to the new stack
  slipway.stack.edge_join:
    subnet: 10.213.0.0/24
"""

RETURN = r"""
networks:
  description: The networks that it was connected to.
  type: list
  elements: str
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    StackBusyError,
    sharing_slots,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.slots import join, look


def main() -> None:
    """Read the parameters, connect what is not connected, answer."""
    module = AnsibleModule(
        argument_spec={
            "subnet": {"type": "str", "required": True},
            "lock_wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        if module.check_mode:
            answer = settle(given["subnet"], Engine(), check=True)
        else:
            with sharing_slots(wait=given["lock_wait"], clock=Clock()):
                answer = settle(given["subnet"], Engine(), check=False)
    except StackBusyError as busy:
        module.fail_json(msg=str(busy), busy=busy.by)
    except (ReleaseError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


def settle(subnet: str, engine: Engine, *, check: bool) -> dict[str, Any]:
    """Connect what is not connected, unless it is a check; return the module's result."""
    slots = look(engine, subnet)
    if not slots.running:
        raise ReleaseError(
            "Traefik does not run on this host. Run playbooks/provision.yml with the same "
            "inventory first."
        )
    if not check:
        join(slots, engine)
    return {
        "changed": bool(slots.unjoined),
        "networks": [edge["name"] for edge in slots.unjoined],
    }


if __name__ == "__main__":
    main()
