"""Following a process on the host, for actions that start one."""

from __future__ import annotations

import json
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class FollowingAction(ActionBase):  # type: ignore[misc]
    """Shows how far a job is until it ends."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def follow(self, follower: list[str]) -> dict[str, Any]:
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
                    f"The work on the host goes on, but it does not tell how. Run the same command "
                    f"again to follow it. The host says: {answer['stderr'] or answer['stdout']}"
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
