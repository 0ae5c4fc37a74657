"""Documentation of the action plugin of this name, which does all the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Refuse bad values of public variables
description:
  - Checks the values of every public variable of the given roles against their
    C(meta/argument_specs.yml), against formats such as that of a domain or an image, and against
    each other.
  - Fails with all problems at once, each with the variable's name and what to do. A secret's
    value is never shown.
  - >-
    Nothing is coerced. A number in quotes is refused where a number is due, so give numbers and
    booleans on the command line as JSON, such as C(-e '{"stack_drain_timeout": 60}').
  - A variable that has a role's prefix and is in no spec is refused as a typing error.
  - Runs on the controller and needs no connection to the host.
author: Slipway
options:
  roles:
    description: Names of the roles to check.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Refuse bad values before anything changes
  slipway.stack.validate:
    roles: [host, docker, network, traefik, data, stack]
"""

RETURN = r"""
variables:
  description: How many variables were checked.
  returned: always
  type: int
  sample: 55
"""
