"""Run the module of the task's name; say whom it waits for, and explain a login that is refused."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Others who plan hold the lock for a moment: that is not worth a line.
MOMENT_SECONDS = 2


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
        variables = task_vars or {}
        wait = int(self._task.args.get("lock_wait", 0))
        answer = self._ask(variables, min(wait, MOMENT_SECONDS))
        if wait > MOMENT_SECONDS and answer.get("busy"):
            # A module says nothing before it ends, so the one that waits long is another.
            host = variables.get("inventory_hostname", "")
            Display().display(f"[{host}] Waiting up to {wait} s: {answer['busy']}.")
            answer = self._ask(variables, wait)
        return result | answer

    def _ask(self, variables: dict[str, Any], wait: int) -> dict[str, Any]:
        """Run the module; one that waits for others does so for this many seconds."""
        arguments = self._task.args
        if "lock_wait" in arguments:
            arguments = arguments | {"lock_wait": wait}
        try:
            answer: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=variables
            )
        except AnsibleConnectionFailure as error:
            if "permission denied" not in str(error).lower():
                raise
            raise AnsibleActionFail(
                f"The host does not let {self._connection.get_option('remote_user')} in, so it was "
                f"never provisioned, or host_deploy_keys lacks your key. Run the playbook "
                f"provision with the same inventory first: "
                f"ansible-playbook playbooks/provision.yml -i <inventory>"
            ) from error
        return answer
