"""What the callback keeps of a deploy, and whom it tells."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.callback.outcome import CallbackModule

from tests.unit.pipeline.receiver import Receiver
from tests.unit.pipeline.test_notice import REPORT

ROLL, PLAN = "slipway.stack.release_roll", "slipway.stack.release_plan"


class Play:
    """A run of a playbook, as the callback sees it."""

    def __init__(self, file: Path, *, name: str = "Deploy the stack", **variables: Any) -> None:
        known = {"stack_name": "shop", "stack_domain": "shop.example.com", **variables}
        manager = SimpleNamespace(get_vars=lambda **_: {"hostvars": {"server": known}})
        self.callback = CallbackModule()
        self.callback.get_option = {"file": str(file)}.get
        self.file = file
        self.callback.v2_playbook_on_play_start(
            SimpleNamespace(
                check_mode=False, get_variable_manager=lambda: manager, get_name=lambda: name
            )
        )

    def result(self, action: str, **answer: Any) -> Any:
        host = SimpleNamespace(get_name=lambda: "server")
        return SimpleNamespace(task=SimpleNamespace(action=action), host=host, result=answer)

    def well(self, action: str, **answer: Any) -> None:
        self.callback.v2_runner_on_ok(self.result(action, **answer))

    def badly(self, action: str, **answer: Any) -> None:
        self.callback.v2_runner_on_failed(self.result(action, **answer))

    def end(self) -> dict[str, Any]:
        self.callback.v2_playbook_on_stats(None)
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outcome.json"


def planned(play: Play) -> None:
    play.well("ansible.builtin.debug", msg="hello")
    play.well(PLAN, manifest={"id": "old"})


def test_a_deploy_of_what_serves_is_unchanged(file: Path) -> None:
    play = Play(file)
    planned(play)
    found = play.end()
    assert (found["result"], found["release"], found["report"]) == ("unchanged", "old", None)
    assert (found["stack"], found["domain"], found["host"]) == (
        "shop", "shop.example.com", "server",
    )  # fmt: skip


def test_a_roll_leaves_its_report(file: Path) -> None:
    play = Play(file)
    planned(play)
    play.well(ROLL, report=REPORT, lines=[])
    found = play.end()
    assert (found["result"], found["release"]) == ("deployed", REPORT["new"])
    assert found["report"] == REPORT


def test_an_older_run_has_not_failed(file: Path) -> None:
    play = Play(file)
    play.badly(PLAN, msg="run 41, an older one", overtaken=True)
    assert play.end()["result"] == "overtaken"


def test_a_stale_plan_is_told_from_a_failure(file: Path) -> None:
    play = Play(file)
    planned(play)
    play.badly(ROLL, msg="Another deploy came first", overtaken=False, stale=True)
    assert play.end()["result"] == "stale"


def test_a_failure_keeps_its_reason(file: Path) -> None:
    play = Play(file)
    planned(play)
    play.badly(ROLL, msg="too slow", report=REPORT)
    assert (play.end()["result"], play.end()["message"]) == ("failed", "too slow")


def test_a_host_that_does_not_answer_has_failed(file: Path) -> None:
    play = Play(file)
    play.callback.v2_runner_on_unreachable(play.result(PLAN, msg="Connection refused"))
    assert (play.end()["result"], play.end()["message"]) == ("failed", "Connection refused")


def test_a_variable_that_cannot_be_had_fails_nothing(file: Path) -> None:
    play = Play(file)
    play.callback.play.get_variable_manager = lambda: SimpleNamespace(get_vars=lambda **_: {})
    planned(play)
    assert play.end()["stack"] == ""


def test_a_deploy_by_hand_is_told(file: Path, receiver: Receiver) -> None:
    play = Play(file, stack_notify_webhook_url=f"{receiver.url}/w", stack_actor="ada")
    planned(play)
    assert not receiver.posted
    play.well(ROLL, report=REPORT)
    ((_, body),) = receiver.posted
    assert (body["status"], body["title"]) == ("deployed", "shop: now 1.4.1 by ada")


@pytest.mark.parametrize(
    ("name", "title"),
    [("Deploy the stack", "the deploy failed"), ("Roll back the stack", "the rollback failed")],
)
def test_a_roll_by_hand_that_failed_is_told(
    file: Path, receiver: Receiver, name: str, title: str
) -> None:
    play = Play(file, name=name, stack_notify_slack_url=f"{receiver.url}/s")
    play.badly(ROLL, msg="the process ended before its time")
    ((_, body),) = receiver.posted
    assert title in body["text"]
    assert "ended before its time" in body["text"]


def test_what_was_refused_is_told_to_nobody_but_who_asked(file: Path, receiver: Receiver) -> None:
    play = Play(file, stack_notify_slack_url=f"{receiver.url}/s")
    play.badly(PLAN, msg="Disk: full")
    assert not receiver.posted


def test_a_pipeline_tells_of_its_own_deploys(file: Path, receiver: Receiver) -> None:
    play = Play(file, stack_notify_slack_url=f"{receiver.url}/s", stack_run_number=42)
    play.well(ROLL, report=REPORT)
    assert not receiver.posted


def test_a_notice_that_is_lost_fails_no_deploy(file: Path) -> None:
    play = Play(file, stack_notify_slack_url="http://127.0.0.1:9/s")
    play.well(ROLL, report=REPORT)
    assert play.end()["result"] == "deployed"
