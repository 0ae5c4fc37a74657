"""List the previews on the host; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preview_list
short_description: List the previews on the host
description:
  - Lists the previews of all stacks, the oldest first, each with its branch, address, version, age
    and when it goes.
extends_documentation_fragment:
  - slipway.stack.host
attributes:
  check_mode:
    support: full
author: Slipway
"""

EXAMPLES = r"""
- name: List the previews
  slipway.stack.preview_list:
    host_directory: /srv/slipway
"""

RETURN = r"""
previews:
  description: The previews, each with C(stack), C(branch), C(of), C(domain), C(subnet), C(version),
    C(created), C(expires), C(age) and C(left).
  type: list
  elements: dict
  returned: success
table:
  description: The same as aligned lines.
  type: list
  elements: str
  returned: success
"""

from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import previews
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError


def main() -> None:
    """Read the parameters, list, answer."""
    module = AnsibleModule(
        argument_spec={"host_directory": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    try:
        found = previews.listing(Path(module.params["host_directory"]), datetime.now(UTC))
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, previews=found, table=previews.table(found))


if __name__ == "__main__":
    main()
