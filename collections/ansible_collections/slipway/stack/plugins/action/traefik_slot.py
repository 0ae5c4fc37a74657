"""Follow the process that replaces Traefik, and show how far it is."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.report import lines
from ansible_collections.slipway.stack.plugins.plugin_utils.following import FollowingAction

MODULE = "slipway.stack.traefik_slot"


class ActionModule(FollowingAction):
    """Start a flip where one is needed, and follow it; one that is under way is awaited first."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the ``report`` of the flip and its ``lines``; fail with the job's own reason."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        while True:
            started = self._execute_module(module_name=MODULE, task_vars=task_vars)
            result.update(started)
            if "follower" not in started:
                return result
            ended = self.follow(result.pop("follower"))
            if not result.pop("under_way"):
                break
        if report := ended.get("report"):
            result.update(report=report, lines=lines("traefik", report))
        if not ended["ok"]:
            result.update(failed=True, msg=ended["message"])
        return result
