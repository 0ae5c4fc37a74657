"""Remove a stack wholly from its host; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_remove
short_description: Remove a stack wholly from its host
description:
  - Removes routes, containers, the database with its data, networks, secrets, releases, and the
    images that nothing else on the host is made of. What the host itself is made of stays.
  - Waits for deploys and provisioning that are under way, and holds the host meanwhile.
  - One that was broken off is finished by the next. Nothing is left to be done by a third.
options:
  branch:
    description: Refuse a stack that is not the preview of this branch. Empty means any stack.
    type: str
    default: ""
  of:
    description: The stack whose branch that is.
    type: str
    default: ""
  lock_wait:
    description: The most seconds to wait for others.
    type: int
    default: 0
  who:
    description: Who removes it, for those who find the host held.
    type: str
    default: ""
  run:
    description: The URL or number of the CI run that removes it.
    type: str
    default: ""
extends_documentation_fragment:
  - slipway.stack.host
  - slipway.stack.host.stack
attributes:
  check_mode:
    support: full
    description: It lists what would go, and waits for nobody.
author: Slipway
"""

EXAMPLES = r"""
- name: Remove the preview
  slipway.stack.stack_remove:
    host_directory: /srv/slipway
    stack: p-feature-sea-3f9a1c
    branch: feature/search
    of: staging
"""

RETURN = r"""
removed:
  description: What there was, a line each.
  type: list
  elements: str
  returned: success
  sample: [container p-feature-sea-3f9a1c-postgres, network p-feature-sea-3f9a1c-app]
notes:
  description: A sentence for each image that stays because somebody else uses it.
  type: list
  elements: str
  returned: success
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import previews
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.door import active_address
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    Holder,
    StackBusyError,
    holding_host,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.recognisers import is_stack_name
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.removal import Removal


def main() -> None:
    """Read the parameters, remove what is there, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "branch": {"type": "str", "default": ""},
            "of": {"type": "str", "default": ""},
            "lock_wait": {"type": "int", "default": 0},
            "who": {"type": "str", "default": ""},
            "run": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    directory = StackDirectory(Path(given["host_directory"]), given["stack"])
    if not is_stack_name(directory.stack):
        module.fail_json(msg=f"'{directory.stack}' is no name of a stack. Nothing was changed.")
    removal = Removal(directory, Engine(), lambda: Proxy(active_address()), Clock())
    holder = Holder("removal", who=given["who"], run=given["run"], stack=directory.stack)

    def refuse() -> None:
        if given["branch"] and (
            refusal := previews.removal_refusal(directory, given["branch"], given["of"])
        ):
            raise ReleaseError(refusal)

    try:
        answer = settle(removal, holder, refuse, wait=given["lock_wait"], check=module.check_mode)
    except StackBusyError as busy:
        module.fail_json(msg=str(busy), busy=busy.by)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


def settle(
    removal: Removal, holder: Holder, refuse: Callable[[], None], *, wait: float, check: bool
) -> dict[str, Any]:
    """Remove what there is, unless it is a check; return the module's result.

    `refuse` raises ReleaseError when the stack may not go. It is asked again once nobody else can
    change the host: what was there may be another's by then.
    """
    refuse()
    found = removal.find()
    notes: list[str] = []
    if found.lines() and not check:
        with holding_host(
            removal.directory.host / "stacks",
            holder,
            wait=wait,
            clock=removal.clock,
            progress=lambda _: None,
        ):
            refuse()
            found, notes = removal.run()
    return {"changed": bool(found.lines()), "removed": found.lines(), "notes": notes}


if __name__ == "__main__":
    main()
