"""Freeze a stack or end its freeze; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_freeze
short_description: Freeze a stack, so that it is not deployed for a while
description:
  - Deploys of a frozen stack are refused with the reason; a rollback never is.
  - To freeze a frozen stack for another reason replaces who and since when too; for the same reason
    changes nothing.
options:
  state:
    description: Whether the stack is to be frozen.
    type: str
    choices: [frozen, free]
    default: frozen
  reason:
    description: Why, in words that whoever is refused understands. Needed to freeze.
    type: str
    default: ""
  who:
    description: Who freezes it.
    type: str
    default: ""
extends_documentation_fragment:
  - slipway.stack.host
  - slipway.stack.host.stack
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: Slipway
"""

EXAMPLES = r"""
- name: Freeze the stack
  slipway.stack.stack_freeze:
    host_directory: /srv/slipway
    stack: production
    reason: Black Friday
    who: ada
"""

RETURN = r"""
freeze:
  description: The freeze that holds now, with its reason, who and since when; null for none.
  type: dict
  returned: success
  sample: {reason: Black Friday, who: ada, since: "2026-11-27T00:00:00Z"}
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.freeze import (
    Freeze,
    clear_freeze,
    freeze_path,
    read_freeze,
    set_freeze,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
    utc_now,
)


def main() -> None:
    """Read the parameters, compare, change, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "state": {"choices": ["frozen", "free"], "default": "frozen"},
            "reason": {"type": "str", "default": ""},
            "who": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    directory = StackDirectory(Path(module.params["host_directory"]), module.params["stack"])
    reason = " ".join(module.params["reason"].split())
    frozen = module.params["state"] == "frozen"
    if frozen and not reason:
        module.fail_json(msg="Say why the stack is frozen: -e freeze_reason='Black Friday'.")
    if not directory.root.is_dir():
        module.fail_json(
            msg=f"This host is not provisioned for the stack '{directory.stack}': "
            f"{directory.root} is missing. Run playbooks/provision.yml first."
        )
    try:
        module.exit_json(
            **settle(
                directory,
                Freeze(reason, module.params["who"], utc_now()) if frozen else None,
                check=module.check_mode,
            )
        )
    except OSError as error:
        module.fail_json(msg=f"{freeze_path(directory)}: {error.strerror}")


def settle(directory: StackDirectory, wanted: Freeze | None, *, check: bool) -> dict[str, Any]:
    """Make a stack as frozen as wanted, unless it is a check; return the module's result."""
    path = freeze_path(directory)
    before = path.read_text(errors="replace") if path.exists() else ""
    try:
        now = read_freeze(directory)
        known = True
    except ReleaseError:
        now, known = None, False
    if known and (wanted and wanted.reason) == (now and now.reason):
        wanted = now
    elif not check:
        if wanted:
            set_freeze(directory, wanted)
        else:
            clear_freeze(directory)
    after = wanted.text() if wanted else ""
    return {
        "changed": not known or wanted != now,
        "freeze": asdict(wanted) if wanted else None,
        "diff": {
            "before_header": str(path),
            "after_header": str(path),
            "before": before,
            "after": after,
        },
    }


if __name__ == "__main__":
    main()
