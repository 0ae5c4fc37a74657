"""Run the module of the task's name, and explain a host that does not know the user."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Save the task over SSH that would otherwise have to try the login first."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module returns; a host that does not answer stays Ansible's own error."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            answer: dict[str, Any] = self._execute_module(task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            if "permission denied" not in str(error).lower():
                raise
            raise AnsibleActionFail(
                f"The host does not let {self._connection.get_option('remote_user')} in, so it was "
                f"never provisioned, or host_deploy_keys lacks your key. Run the playbook "
                f"provision with the same inventory first: "
                f"ansible-playbook playbooks/provision.yml -i <inventory>"
            ) from error
        return result | answer
