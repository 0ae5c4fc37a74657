"""Follow the process that rolls a release, and show how far it is."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.report import lines
from ansible_collections.slipway.stack.plugins.plugin_utils.following import FollowingAction

MODULE = "slipway.stack.release_roll"


class ActionModule(FollowingAction):
    """Start the job, or find a running one, and follow it until it ends."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the ``report`` of the roll and its ``lines``; fail with the job's own reason.

        `overtaken` says that a newer run of the pipeline came first, `stale` that another deploy
        did, after which this one can be planned anew.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        started = self._execute_module(module_name=MODULE, task_vars=task_vars)
        result.update(started)
        if started.get("failed") or self._task.check_mode:
            return result
        ended = self.follow(result.pop("follower"))
        if report := ended.get("report"):
            result.update(report=report, lines=lines(self._task.args["stack"], report))
        if not ended["ok"]:
            why = {word: ended.get(word, False) for word in ("overtaken", "stale")}
            result.update(failed=True, msg=ended["message"], **why)
        return result
