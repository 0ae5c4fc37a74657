"""Names every boundary between tasks, and ends ansible-playbook by SIGKILL at a wanted one."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: boundaries
type: aggregate
short_description: Name the boundaries between tasks, and die at one
description:
  - Prints C(boundary <number>; <name>) when a task begins, handlers and skipped tasks too, and once
    at the end.
  - Dies by SIGKILL at the boundary of the number in C(BENCH_DIE_AT), if that is set.
author: Slipway
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Counts what the strategy begins; it runs in ansible-playbook's own process."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "boundaries"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin to count."""
        super().__init__()
        self._number = 0
        self._last = int(os.environ.get("BENCH_DIE_AT", "0"))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002, FBT001
        """Come to the boundary before a task."""
        self._come_to(task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Come to the boundary before a handler."""
        self._come_to(task.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002
        """Come to the end."""
        self._come_to("the end")

    def _come_to(self, name: str) -> None:
        self._number += 1
        self._display.display(f"boundary {self._number}; {name}")
        if self._number == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
