"""Give the preview of a branch its place on the host; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preview_claim
short_description: Give the preview of a branch its place on the host
description:
  - Writes down which branch a preview shows, and chooses a subnet that nothing on the host uses. A
    preview that is there keeps its place.
  - Refuses a new preview when there are as many as there may be, and says which these are.
  - Puts the program that removes previews whose days are over on the host.
options:
  stack:
    description: The preview's own name as a stack.
    type: str
    required: true
  branch:
    description: The branch that it shows.
    type: str
    required: true
  of:
    description: The stack that it is derived from.
    type: str
    required: true
  domain:
    description: The preview's host name.
    type: str
    required: true
  days:
    description: After how many days without a new release it is removed.
    type: float
    required: true
  most:
    description: How many previews may be on the host.
    type: int
    required: true
  version:
    description: The version to deploy. A new preview needs one.
    type: str
    default: ""
  subnets:
    description: The network from which a new preview gets its subnet.
    type: str
    required: true
  taken:
    description: Subnets that it must not get although nothing uses them yet.
    type: list
    elements: str
    default: []
  program:
    description: Where to put the program that removes previews.
    type: path
    required: true
extends_documentation_fragment:
  - slipway.stack.host
attributes:
  check_mode:
    support: full
    description: The subnet of a new preview may be another one by the time that it comes.
author: Slipway
"""

EXAMPLES = r"""
- name: Give the preview its place
  slipway.stack.preview_claim:
    host_directory: /srv/slipway
    stack: p-feature-sea-3f9a1c
    branch: feature/search
    of: staging
    domain: feature-sea-3f9a1c.preview.staging.example.com
    days: 7
    most: 3
    version: 1.4.1
    subnets: 10.213.128.0/17
    program: /usr/local/lib/slipway/previews.zip
"""

RETURN = r"""
new:
  description: Whether the preview was not there before.
  type: bool
  returned: success
subnet:
  description: The preview's subnet.
  type: str
  returned: success
  sample: 10.213.128.0/22
expires:
  description: When it goes, in UTC.
  type: str
  returned: success
  sample: "2026-12-03T10:15:00Z"
"""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import launch, previews
from ansible_collections.slipway.stack.plugins.module_utils.addresses import free_subnet, subnets_of
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import TIME
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)

if TYPE_CHECKING:
    # Ansible packs what is imported. Only the timer on the host runs it, from that archive.
    from ansible_collections.slipway.stack.plugins.module_utils import expiry  # noqa: F401


def main() -> None:
    """Read the parameters, choose, write down, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "branch": {"type": "str", "required": True},
            "of": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "days": {"type": "float", "required": True},
            "most": {"type": "int", "required": True},
            "version": {"type": "str", "default": ""},
            "subnets": {"type": "str", "required": True},
            "taken": {"type": "list", "elements": "str", "default": []},
            "program": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    claim = previews.Claim(
        **{
            name: given[name]
            for name in ("stack", "branch", "of", "domain", "days", "most", "version")
        }
    )
    try:
        answer = settle(
            Path(given["host_directory"]),
            claim,
            subnets=given["subnets"],
            taken=given["taken"],
            program=Path(given["program"]),
            check=module.check_mode,
        )
    except (ReleaseError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


def settle(
    host: Path, claim: previews.Claim, *, subnets: str, taken: list[str], program: Path, check: bool
) -> dict[str, Any]:
    """Write the record and the program down, unless it is a check; return the module's result."""
    directory = StackDirectory(host, claim.stack)
    there = previews.read(directory)
    preview, new = previews.claimed(
        host, claim, lambda: free_subnet(subnets, [*taken, *in_use(host)]), datetime.now(UTC)
    )
    code = launch.packed()
    outdated = not program.is_file() or program.read_bytes() != code
    if not check:
        if preview != there:
            previews.write(directory, preview)
        if outdated:
            program.parent.mkdir(mode=0o755, exist_ok=True)
            launch.install(program, code)
    return {
        "changed": preview != there or outdated,
        "new": new,
        "subnet": preview.subnet,
        "expires": previews.expires(host, preview).strftime(TIME),
    }


def in_use(host: Path) -> list[str]:
    """List the subnets that networks, routes and other previews of the host have."""
    networks = [
        str(subnet) for network in Engine().all_networks() for subnet in subnets_of(network)
    ]
    listed = subprocess.run(
        ["ip", "-json", "-4", "route", "show"], capture_output=True, text=True, check=True
    )
    routes = [str(route["dst"]) for route in json.loads(listed.stdout)]
    return [*networks, *routes, *(one.subnet for one in previews.on_host(host))]


if __name__ == "__main__":
    main()
