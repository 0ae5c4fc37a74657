"""Decide what a deploy has to do; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Decide what a deploy of a stack has to do
description:
  - Resolves the stack's images to digests, takes the fingerprint of what the inventory wants and
    compares it with the release that serves on the host.
  - Changes nothing; what it returns is what M(slipway.stack.release_files) and
    M(slipway.stack.release_roll) then do.
options:
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
  proxy_address:
    description: The address of Traefik's active slot on the door network.
    type: str
    required: true
  model:
    description: What the inventory says of the stack, as C(roles/stack/vars/main.yml) gathers it.
    type: dict
    required: true
  version:
    description: The version to deploy. Empty means the version that serves now.
    type: str
    default: ""
  secrets:
    description: The secrets of all services, as JSON in base64. Masked as plain values, short ones
      would strike out parts of digests and addresses.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: M(slipway.stack.release_files) shows the difference.
author: Slipway
"""

EXAMPLES = r"""
- name: Plan the release
  slipway.stack.release_plan:
    host_directory: /srv/slipway
    proxy_address: 10.213.0.2
    model: "{{ __stack_model }}"
    version: "1.4.1"
    secrets: "{{ __stack_secrets }}"
  register: __stack_plan
"""

RETURN = r"""
action:
  description: What there is to do.
  type: str
  returned: success
  sample: roll
manifest:
  description: The release, new or serving, with its id, version, digests, bank and services.
  type: dict
  returned: success
serving:
  description: The id of the release that serves now, or null.
  type: str
  returned: success
  sample: 20261122-101500-4f3a9c1e
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.plan import make_plan, unprovisioned
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Read the parameters, make the plan, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "proxy_address": {"type": "str", "required": True},
            "model": {"type": "dict", "required": True},
            "version": {"type": "str", "default": ""},
            "secrets": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    model = module.params["model"]
    directory = StackDirectory(Path(module.params["host_directory"]), model["name"])
    engine = Engine()
    proxy = Proxy(module.params["proxy_address"])
    missing = unprovisioned(directory, engine, lambda: proxy.get("/api/overview"))
    if missing:
        module.fail_json(
            msg=f"This host is not provisioned for the stack '{model['name']}': "
            f"{'; '.join(missing)}.\nRun the playbook provision with the same inventory first: "
            f"ansible-playbook playbooks/provision.yml -i <inventory>"
        )
    try:
        plan = make_plan(
            directory,
            engine,
            model,
            version=module.params["version"],
            secrets=module.params["secrets"],
            now=datetime.now(UTC),
        )
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        action=plan.action,
        manifest=asdict(plan.manifest),
        serving=plan.serving,
    )


if __name__ == "__main__":
    main()
