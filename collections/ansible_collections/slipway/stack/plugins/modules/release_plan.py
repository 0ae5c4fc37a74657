"""Decide what a deploy has to do; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Decide what a deploy of a stack has to do
description:
  - Resolves the stack's images to digests, takes the fingerprint of what the inventory wants and
    compares it with the release that serves on the host.
  - Looks beforehand for what would stop the release halfway, and refuses all of it at once. That
    is too little disk or memory, an image that cannot be had, versions that are too old, a frozen
    stack, or an older run of the pipeline.
  - Changes nothing; what it returns is what M(slipway.stack.release_roll) then does.
  - In check mode it also asks the commands what they would do, each in a throw-away container.
  - As a task it is an action, which explains a host that does not know the user.
options:
  model:
    description: What the inventory says of the stack, as C(roles/stack/vars/main.yml) gathers it.
    type: dict
    required: true
  version:
    description: The version to deploy. Empty means the version that serves now.
    type: str
    default: ""
  digests:
    description: Digests of images by repository, in place of what the version's tags lead to.
    type: dict
    default: {}
  verify_keys:
    description: Public keys of cosign in PEM. Where there are any, images must be signed by one.
    type: list
    elements: str
    default: []
  secrets:
    description: The secrets of all services, as JSON in base64. Masked as plain values, short ones
      would strike out parts of digests and addresses.
    type: str
    required: true
  actor:
    description: Who deploys, with C(who), C(run_number), C(run_url) and C(commit). It goes into the
      manifest and makes no difference to what is deployed.
    type: dict
    default: {}
  keep:
    description: How many releases stay on the host, the serving one among them.
    type: int
    required: true
  min_free_disk:
    description: Disk space that must be free, a number with the unit k, m or g.
    type: str
    required: true
  ignore_freeze:
    description: Deploy although the stack is frozen.
    type: bool
    default: false
  allow_older_run:
    description: Let a lower run number replace a higher one.
    type: bool
    default: false
  rotate:
    description:
      - Bring nothing but secrets. The release keeps version and images of the one that serves, asks
        no registry, and takes over the containers of the services that read no secret that changed.
      - Fails when more than secrets differs.
    type: bool
    default: false
  lock_wait:
    description: Seconds to wait for another deploy, rollback or provision to end.
    type: int
    default: 0
extends_documentation_fragment:
  - slipway.stack.host
attributes:
  check_mode:
    support: full
    description: It only reads; only in check mode it asks the commands what they would do.
  diff_mode:
    support: none
    description: M(slipway.stack.release_roll) shows the difference.
author: Slipway
"""

EXAMPLES = r"""
- name: Plan the release
  slipway.stack.release_plan:
    host_directory: /srv/slipway
    model: "{{ __stack_model }}"
    version: "1.4.1"
    secrets: "{{ __stack_secrets }}"
    keep: 5
    min_free_disk: 2g
  register: __stack_plan
"""

RETURN = r"""
action:
  description: What there is to do, C(none), C(finish), C(follow) or C(roll).
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
job:
  description: The id of the job under way that already brings this release, or null.
  type: str
  returned: success
busy:
  description: Who holds the stack or the host, since when and doing what.
  type: str
  returned: failure, when the wait for somebody else was over
overtaken:
  description: A newer run of the pipeline has deployed already.
  type: bool
  returned: failure, when it is so
report:
  description: The plan in lines for people.
  type: list
  elements: str
  returned: success
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.door import active_address
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    Holder,
    OvertakenError,
    StackBusyError,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    ROLL,
    Wish,
    plan_deploy,
    stack_containers,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan_report import plan_lines
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.rehearsal import rehearse
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.turn import in_turn

# The options that are the same in both.
WISH = (
    *("model", "version", "digests", "verify_keys", "secrets", "actor", "min_free_disk"),
    *("ignore_freeze", "allow_older_run", "rotate"),
)


def main() -> None:
    """Read the parameters, make the plan, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "model": {"type": "dict", "required": True},
            "version": {"type": "str", "default": ""},
            "digests": {"type": "dict", "default": {}},
            "verify_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "secrets": {"type": "str", "required": True, "no_log": True},
            "actor": {"type": "dict", "default": {}},
            "keep": {"type": "int", "required": True},
            "min_free_disk": {"type": "str", "required": True},
            "ignore_freeze": {"type": "bool", "default": False},
            "allow_older_run": {"type": "bool", "default": False},
            "rotate": {"type": "bool", "default": False},
            "lock_wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    model, engine = given["model"], Engine()
    wish = Wish(
        directory=StackDirectory(Path(given["host_directory"]), model["name"]),
        **{name: given[name] for name in WISH},
    )
    try:
        make = partial(plan_deploy, wish, engine, Proxy(active_address()), datetime.now(UTC))
        holder = Holder("plan of a deploy", who=wish.actor.get("who", ""))
        # In check mode nothing follows that could be stale.
        plan = (
            make()
            if module.check_mode
            else in_turn(wish.directory, make, holder, wait=given["lock_wait"])
        )
        report = plan_lines(
            wish.directory,
            plan,
            model,
            stack_containers(engine, model["name"]),
            secrets=given["secrets"],
            keep=given["keep"],
        )
        if module.check_mode and plan.action == ROLL:
            report += rehearse(wish.directory, engine, model, plan.manifest, plan.serving)
    except StackBusyError as busy:
        module.fail_json(msg=str(busy), busy=busy.by)
    except OvertakenError as overtaken:
        module.fail_json(msg=str(overtaken), overtaken=True)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in plan.warnings:
        module.warn(warning)
    module.exit_json(
        changed=False,
        action=plan.action,
        manifest=asdict(plan.manifest),
        serving=plan.serving,
        job=plan.job,
        report=report,
    )


if __name__ == "__main__":
    main()
