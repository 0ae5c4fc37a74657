"""Documentation of the action plugin of this name, which does all the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: try_login
short_description: Find out whether the host knows the user that the inventory names
description:
  - Connects as the user of the play and says whether the host accepted the user.
  - A host that does not answer at all is unreachable, as with every other module.
author: Slipway
options: {}
attributes:
  check_mode:
    description: Does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Try the deploy user
  slipway.stack.try_login:
  register: connect_login
"""

RETURN = r"""
accepted:
  description: Whether the host let the user in.
  returned: always
  type: bool
"""
