"""Follow the process that rolls a release, and show how far it is."""

from __future__ import annotations

import json
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.slipway.stack.plugins.module_utils.report import lines

MODULE = "slipway.stack.release_roll"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Start the job, or find a running one, and follow it until it ends."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the ``report`` of the roll and its ``lines``; fail with the job's own reason."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        started = self._execute_module(module_name=MODULE, task_vars=task_vars)
        result.update(started)
        if started.get("failed") or self._task.check_mode:
            return result
        ended = self._follow(result.pop("follower"))
        if report := ended.get("report"):
            result.update(report=report, lines=lines(self._task.args["stack"], report))
        if not ended["ok"]:
            result.update(failed=True, msg=ended["message"])
        return result

    def _follow(self, follower: list[str]) -> dict[str, Any]:
        """Show the lines of the progress as they come, and return the result."""
        seen = 0
        while True:
            # With input there is no terminal, which would mix both outputs.
            answer = self._low_level_execute_command(
                shlex.join([*follower, str(seen)]), in_data=b"\n"
            )
            try:
                news = json.loads(answer["stdout"])
            except ValueError as error:
                raise AnsibleActionFail(
                    f"The roll goes on, but the host does not tell how. Run the same command again "
                    f"to follow it. The host says: {answer['stderr'] or answer['stdout']}"
                ) from error
            for line in news["progress"]:
                if text := shown(line):
                    Display().display(text)
            seen += len(news["progress"])
            if news["result"]:
                found: dict[str, Any] = news["result"]
                return found
            if news["died"]:
                return {"ok": False, "message": news["died"]}


def shown(line: dict[str, Any]) -> str:
    """Write a line of the progress for people: what a phase took, and what it has to say."""
    phase, text = line["phase"], line["text"]
    if line["event"] == "end" and "seconds" in line:
        return f"  {phase:<14} {line['seconds']:6.1f} s"
    return f"  {phase}: {text}" if line["event"] == "note" else ""
