"""Documentation of the action plugin of this name, which does all the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hold
short_description: Hold the host alone until the playbook ends
description:
  - Takes the host's lock, so that no deploy, rollback or other provisioning changes the host
    meanwhile. Waits for those that are under way, and says for whom.
  - The lock is free as soon as the playbook has ended, failed, been killed or lost its line.
  - Works over C(ssh) and C(local).
author: Slipway
options:
  state:
    description: Whether to hold the host or to let it go before the playbook ends.
    type: str
    choices: [held, free]
    default: held
  host_directory:
    description: The directory that holds everything of this project on the host. Needed to hold.
    type: path
  wait:
    description: Seconds to wait for others.
    type: int
    default: 0
  who:
    description: Who provisions, for those who find the host held.
    type: str
    default: ""
  run:
    description: The URL or number of the CI run that provisions.
    type: str
    default: ""
  keeper:
    description: What the task that holds the host returned as C(keeper). Needed to let go.
    type: int
    default: 0
attributes:
  check_mode:
    description: A check changes nothing, so it holds nothing and waits for nobody.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Hold the host
  slipway.stack.hold:
    host_directory: /srv/slipway
    wait: 300
  register: provision_hold

- name: Let go of the host
  slipway.stack.hold:
    state: free
    keeper: "{{ provision_hold['keeper'] }}"
"""

RETURN = r"""
keeper:
  description: The process on the controller that keeps the lock; 0 for none.
  returned: always
  type: int
"""
