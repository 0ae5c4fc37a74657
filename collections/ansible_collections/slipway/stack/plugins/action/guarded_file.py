"""Change a file on trial, and log in anew before and after: see the module of this name."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.slipway.stack.plugins.plugin_utils.line import ssh_command

CONNECT_SECONDS = 10
LOGIN_SECONDS = 25
# A server that rereads its settings refuses connections for a moment.
LOGINS = 3
PAUSE_SECONDS = 1
# A connection of its own, by key alone: one that is open proves nothing about the next.
FRESH = (
    "ControlMaster=no",
    "ControlPath=none",
    "BatchMode=yes",
    "PreferredAuthentications=publickey",
    f"ConnectTimeout={CONNECT_SECONDS}",
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Do the steps of the module in their order."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``changed`` and the difference; fail with what stands in the way of a login."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        found = self._step("look", task_vars)
        if found.get("failed") or not found["changed"] or self._task.check_mode:
            return result | found
        path, user = self._task.args["path"], self._task.args["user"]
        if self._task.args.get("before", True) and (reason := self._login(user)):
            raise AnsibleActionFail(
                f"{path} may close the way in that you use, and {user} cannot log in by key and "
                f"become root: {reason}. {path} was not changed. Put your public key into "
                f"host_deploy_keys, or name the topic in host_hardening_except."
            )
        begun = self._step("begin", task_vars)
        if begun.get("failed"):
            return result | begun
        reason = self._login(user)
        ended = self._step("back" if reason else "keep", task_vars)
        if reason:
            taken = "It was taken back" if not ended.get("failed") else "The host takes it back"
            raise AnsibleActionFail(
                f"With the new {path} {user} could not log in by key and become root: {reason}. "
                f"{taken}. Is the public key of this machine in host_deploy_keys?"
            )
        return result | found | ({} if not ended.get("failed") else ended)

    def _step(self, step: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_args=self._task.args | {"step": step}, task_vars=task_vars
        )
        return answer

    def _login(self, user: str) -> str:
        """Log in anew and become root; return what went wrong at last, or nothing."""
        for _ in range(LOGINS - 1):
            if not self._login_once(user):
                return ""
            time.sleep(PAUSE_SECONDS)
        return self._login_once(user)

    def _login_once(self, user: str) -> str:
        """Return what went wrong in ssh's own words, or nothing."""
        connection = self._connection
        if connection.transport == "local":
            return ""
        if connection.transport != "ssh":
            return f"ansible_connection: {connection.transport} proves no login, use ssh"
        address = self._play_context.remote_addr
        options = (f"User={user}", *FRESH)
        command = ssh_command(connection, address, "sudo -n true", *options)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LOGIN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {LOGIN_SECONDS} s"
        if done.returncode == 0:
            return ""
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return said[-1].strip() if said else f"ssh ended with {done.returncode}"
