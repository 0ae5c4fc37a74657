"""Find out whether the host knows the user that the inventory names."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Connect, and tell a user that is refused from a host that does not answer."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset[str]()
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``accepted``; a host that cannot be reached stays Ansible's own error."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            self._low_level_execute_command("true")
        except AnsibleConnectionFailure as error:
            if "permission denied" not in str(error).lower():
                raise
            self._connection.reset()
            return result | {"changed": False, "accepted": False}
        return result | {"changed": False, "accepted": True}
