"""Hold the host alone until the playbook ends, however it ends."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.slipway.stack.plugins.module_utils import kernel_lock
from ansible_collections.slipway.stack.plugins.module_utils.lock import HOST_LOCK, busy_message
from ansible_collections.slipway.stack.plugins.plugin_utils import keeper
from ansible_collections.slipway.stack.plugins.plugin_utils.line import ssh_command

# What starts on the host: it reads the length of the real program, that program, and runs it.
LOADER = (
    "import sys; i = sys.stdin.buffer; "
    "exec(compile(i.read(int(i.readline())), 'slipway-host-lock', 'exec'))"
)
# Seconds that a keeper may take to let go.
PATIENCE = 10.0


class ActionModule(ActionBase):  # type: ignore[misc]
    """Start a keeper for this host, or end it."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"state", "host_directory", "wait", "who", "run", "keeper"})
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``keeper``, the number of the process that keeps the lock; 0 in a check."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(changed=False, keeper=0)
        arguments = self._task.args
        state = arguments.get("state", "held")
        if state not in {"held", "free"}:
            raise AnsibleActionFail("state: must be held or free.")
        if self._task.check_mode:
            return result
        if state == "free":
            if not let_go(int(arguments.get("keeper", 0))):
                result.update(
                    failed=True,
                    msg="The host's lock was lost before this playbook ended: the line was cut, or "
                    "its keeper was killed. A deploy may have run meanwhile. Run this again.",
                )
            return result
        process, answer = self._keep(self._order(arguments, task_vars or {}))
        if answer["state"] == "held":
            return result | {"keeper": process.pid}
        if answer["state"] == "lost":
            raise AnsibleConnectionFailure(
                f"Cannot hold the host's lock: {answer['text'] or 'the session ended'}"
            )
        return result | {"failed": True, "msg": refused(answer, float(arguments.get("wait", 0)))}

    def _keep(self, order: keeper.Order) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
        """Start the keeper of this playbook; return it with what the host answered at last."""
        # This task is a child of ansible-playbook itself.
        playbook = os.pidfd_open(os.getppid())
        try:
            process = subprocess.Popen(
                [sys.executable, "-IS", keeper.__file__, str(playbook)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[playbook],
                start_new_session=True,
            )
        finally:
            os.close(playbook)
        assert process.stdin  # noqa: S101 - opened above
        assert process.stdout  # noqa: S101 - opened above
        with process.stdin, process.stdout:
            process.stdin.write(order.dump())
            process.stdin.close()
            answer = {"state": "lost", "text": ""}
            for line in process.stdout:
                answer = json.loads(line)
                if answer["state"] != "waiting":
                    break
                Display().display(f"[{self._task_host}] {answer['text']}")
        return process, answer

    def _order(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> keeper.Order:
        """Gather what the keeper needs to reach the host as this task's user."""
        self._task_host = str(task_vars.get("inventory_hostname", ""))
        shell_command = self._shell_command(
            f"{shlex.quote(self._python(task_vars))} -IS -c {shlex.quote(LOADER)}"
        )
        become = self._connection.become
        becomes = become is not None and bool(become.success) and become.success in shell_command
        return keeper.Order(
            command=self._command(shell_command),
            code=Path(kernel_lock.__file__).read_text(),
            request={
                "lock": str(HOST_LOCK),
                "host_directory": str(arguments["host_directory"]),
                "holder": {
                    "action": "provision",
                    "who": str(arguments.get("who", "")),
                    "run": str(arguments.get("run", "")),
                },
                "wait": float(arguments.get("wait", 0)),
            },
            beat=kernel_lock.BEAT,
            prompt=str(become.prompt or "") if becomes else "",
            password=str(become.get_option("become_pass") or "") if becomes else "",
            success=become.success if becomes else "",
        )

    def _python(self, task_vars: dict[str, Any]) -> str:
        """Return the host's Python: the configured one, the one that was found, or Debian's."""
        named = str(self._templar.template(task_vars.get("ansible_python_interpreter", "auto")))
        if not named.startswith("auto"):
            return named
        facts = task_vars.get("ansible_facts", {})
        return str(facts.get("discovered_interpreter_python", "/usr/bin/python3"))

    def _shell_command(self, program: str) -> str:
        """Return what Ansible itself would run on the host for this, with `become` and all."""
        caught: list[str] = []

        def catch(cmd: str, **_: Any) -> tuple[int, bytes, bytes]:
            caught.append(cmd)
            return 0, b"", b""

        self._connection.exec_command = catch
        try:
            self._low_level_execute_command(program)
        finally:
            del self._connection.exec_command
        return caught[0]

    def _command(self, shell_command: str) -> list[str]:
        """Return the program and its arguments that run a shell command on the host."""
        connection = self._connection
        if connection.transport == "local":
            return ["/bin/sh", "-c", shell_command]
        if connection.transport != "ssh":
            raise AnsibleActionFail(
                f"ansible_connection: {connection.transport} cannot hold the host's lock; "
                f"use ssh or local."
            )
        if connection.get_option("password"):
            # Over a connection that has a master by now nobody asks for it again.
            self._low_level_execute_command("true")
        # Uses the master that is there, but must not become one: that would outlive the session.
        address = self._play_context.remote_addr
        return ssh_command(connection, address, shell_command, "ControlMaster=no")


def refused(answer: dict[str, str], wait: float) -> str:
    """Say why the lock is not to be had, and what to do."""
    if answer["state"] == "busy":
        return busy_message("The host is", answer["text"], wait)
    return f"Cannot take the host's lock: {answer['text']}"


def let_go(process: int) -> bool:
    """End a keeper and wait until the lock is free; False when it had ended before. 0 is none."""
    if not process:
        return True
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return False
    try:
        # Its number may be another process's by now.
        if keeper.__file__.encode() not in Path(f"/proc/{process}/cmdline").read_bytes():
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True
