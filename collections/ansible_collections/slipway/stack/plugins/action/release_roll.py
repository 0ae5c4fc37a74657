"""Follow the process that rolls a release, and show how far it is."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.slipway.stack.plugins.module_utils.report import lines

MODULE = "slipway.stack.release_roll"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Start the job, or follow a running one, until it ends."""

    TRANSFERS_FILES = False
    _supports_check_mode = False
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the ``report`` of the roll and its ``lines``; fail with the job's own reason."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        seen = 0
        while True:
            answer = self._execute_module(
                module_name=MODULE, module_args={**arguments, "after": seen}, task_vars=task_vars
            )
            if answer.get("failed"):
                result.update(answer)
                return result
            for line in answer["progress"]:
                if text := shown(line):
                    Display().display(text)
            seen += len(answer["progress"])
            if answer["result"]:
                break
            arguments = {
                "host_directory": arguments["host_directory"],
                "stack": arguments["stack"],
                "id": answer["id"],
            }
        ended = answer["result"]
        result.update(changed=True, id=answer["id"])
        if report := ended.get("report"):
            result.update(report=report, lines=lines(self._task.args["stack"], report))
        if not ended["ok"]:
            result.update(failed=True, msg=ended["message"])
        return result


def shown(line: dict[str, Any]) -> str:
    """Write a line of the progress for people; the beginning of a phase only where it may last."""
    phase, text = line["phase"], line["text"]
    if line["event"] == "end" and "seconds" in line:
        return f"  {phase:<14} {line['seconds']:6.1f} s"
    if line["event"] == "note":
        return f"  {phase}: {text}"
    return ""
