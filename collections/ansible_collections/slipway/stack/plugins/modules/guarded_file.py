"""Write a file that could lock the operator out; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_file
short_description: Write a file that could lock the operator out, and prove that it does not
description:
  - Before anything changes, logs in as C(user) over a connection of its own, by key, and becomes
    root. Then writes the file, makes the host read it, and logs in again the same way.
  - When that fails the former file comes back. The host does that by itself after 90 seconds, when
    the controller or the line to it is gone.
  - Over C(local) nobody logs in, so nothing is proved; other connections are refused.
author: Slipway
options:
  name:
    description: What the change is called among the units of the host.
    type: str
    required: true
  path:
    description: The file.
    type: path
    required: true
  content:
    description: What it is to hold.
    type: str
    required: true
  owner:
    description: The account that the file belongs to.
    type: str
    default: root
  mode:
    description: The file's mode, an octal number as a string.
    type: str
    default: "0644"
  checks:
    description: Commands that must succeed with the file in place, each a list of arguments.
    type: list
    elements: list
    default: []
  apply:
    description: Commands that make the host read the file.
    type: list
    elements: list
    default: []
  undo:
    description: Commands that take their place where the file did not exist before.
    type: list
    elements: list
    default: []
  show:
    description: A command that shows what the host obeys.
    type: list
    elements: str
    default: []
  lines:
    description: Lines that C(show) must print; the case of letters does not matter.
    type: list
    elements: str
    default: []
  user:
    description: Who must be able to log in before and after. Read on the controller.
    type: str
    required: true
  before:
    description: Whether the user must be able to log in before the change as well.
    type: bool
    default: true
  step:
    description: Which part of the work to do. Set by the action plugin.
    type: str
    choices: [look, begin, keep, back]
    default: look
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Let nobody in but the deploy user
  slipway.stack.guarded_file:
    name: ssh
    path: /etc/ssh/sshd_config.d/00-slipway.conf
    content: "PermitRootLogin no\n"
    checks: [[sshd, -t]]
    apply: [[systemctl, reload, ssh]]
    show: [sshd, -T]
    lines: [permitrootlogin no]
    user: deploy
"""

RETURN = r""" # """

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.guard import (
    Change,
    GuardError,
    begin,
    is_due,
    keep,
    must_obey,
    take_back,
)

COMMANDS = {"type": "list", "elements": "list", "default": []}
WORDS = {"type": "list", "elements": "str", "default": []}


def main() -> None:
    """Read the parameters, do one step, answer."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
            "owner": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": "0644"},
            "checks": COMMANDS,
            "apply": COMMANDS,
            "undo": COMMANDS,
            "show": WORDS,
            "lines": WORDS,
            "user": {"type": "str", "required": True},
            "before": {"type": "bool", "default": True},
            "step": {"choices": ["look", "begin", "keep", "back"], "default": "look"},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    step = given.pop("step")
    del given["user"], given["before"]
    change = Change(**given | {"path": Path(given["path"]), "mode": int(given["mode"], 8)})
    try:
        if step == "look":
            due = is_due(change)
            if not due:
                must_obey(change)
            diff = {
                "before": change.before,
                "after": change.content,
                "before_header": str(change.path),
                "after_header": str(change.path),
            }
            module.exit_json(changed=due, diff=diff if due else {})
        {"begin": begin, "keep": keep, "back": take_back}[step](change)
    except GuardError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
