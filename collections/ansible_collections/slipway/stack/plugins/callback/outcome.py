"""Keep how a deploy or rollback ended: for the pipeline in a file, for the team in a notice."""

from __future__ import annotations

DOCUMENTATION = r"""
name: outcome
type: notification
short_description: Keep how a deploy or rollback of a stack ended
description:
  - Writes what C(deploy.yml), C(playbooks/rollback.yml) or C(playbooks/rotate.yml) did as JSON, for
    the pipeline.
  - Tells the team of each roll that ended, well or badly, when it was started by hand and
    C(stack_notify_slack_url) or C(stack_notify_webhook_url) is set. A pipeline tells it itself.
options:
  file:
    description: Where to write the JSON. Empty means nowhere.
    type: str
    default: ""
    env:
      - name: SLIPWAY_OUTCOME
author: Slipway
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.slipway.stack.plugins.module_utils.notice import rolled, tell
from ansible_collections.slipway.stack.plugins.module_utils.outcome import (
    DEPLOYED,
    FAILED,
    OVERTAKEN,
    STALE,
    UNCHANGED,
    Outcome,
)

PLANS = frozenset({"slipway.stack.release_plan", "slipway.stack.rollback_plan"})
ROLL = "slipway.stack.release_roll"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Collect while the plays run, tell at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "slipway.stack.outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin with nothing known."""
        super().__init__()
        self.outcome = Outcome()
        self.play: Any = None
        self.check = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the play: its variables can be asked for later."""
        self.play = play
        self.check = bool(play.check_mode)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Note what the plan found, and the roll's report."""
        action, answer = result.task.action, result.result
        if action in PLANS:
            self._note(result, UNCHANGED, release=answer["manifest"]["id"])
        elif action == ROLL and "report" in answer:
            report = answer["report"]
            self._note(result, DEPLOYED, report=report, release=report["new"])
            self._tell()

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """Note why; an older run that is refused has not failed."""
        if ignore_errors:
            return
        answer = result.result
        word = next((one for one in (OVERTAKEN, STALE) if answer.get(one)), FAILED)
        message = str(answer.get("msg") or "The task failed and does not say why.")
        self._note(result, word, message=message, report=answer.get("report"))
        if result.task.action == ROLL and word != OVERTAKEN:
            self._tell()

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Note that nothing is known of the host."""
        self._note(result, FAILED, message=str(result.result.get("msg", "")))

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002
        """Write the file."""
        if path := self.get_option("file"):
            Path(path).write_text(json.dumps(asdict(self.outcome), indent=2) + "\n")

    def _note(self, result: Any, word: str, **more: Any) -> None:
        """Add what is known now to what was known before."""
        self.outcome = replace(self.outcome, result=word, host=result.host.get_name(), **more)
        self.outcome.stack = str(self._variable("stack_name"))
        self.outcome.domain = str(self._variable("stack_domain"))

    def _variable(self, name: str) -> Any:
        """Ask for a variable of the host, templated; empty when it cannot be had."""
        try:
            known = self.play.get_variable_manager().get_vars(play=self.play)["hostvars"]
            return known[self.outcome.host].get(name, "")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it fails no deploy
            self._display.vvv(f"slipway.stack.outcome: {name}: {error}")
            return ""

    def _tell(self) -> None:
        """Tell the team of a roll that somebody started by hand."""
        slack = self._variable("stack_notify_slack_url")
        webhook = self._variable("stack_notify_webhook_url")
        if self.check or self._variable("stack_run_number") or not (slack or webhook):
            return
        report = self.outcome.report or {"action": self._action()}
        notice = rolled(
            report,
            stack=self.outcome.stack,
            who=self._variable("stack_actor"),
            problem=self.outcome.message,
        )
        for problem in tell(notice, slack_url=slack, webhook_url=webhook):
            self._display.warning(problem)

    def _action(self) -> str:
        return "rollback" if "roll back" in self.play.get_name().lower() else "deploy"
