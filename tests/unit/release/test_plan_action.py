"""A host that does not know the user is explained; one that does not answer stays unreachable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.slipway.stack.plugins.action import (
    release_list,
    release_plan,
    rollback_plan,
)


@pytest.fixture
def action(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Build the action without a play around it."""
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    made = release_plan.ActionModule.__new__(release_plan.ActionModule)
    made._connection = SimpleNamespace(get_option=lambda _: "deploy")  # noqa: SLF001
    made._task = SimpleNamespace(args={"stack": "shop"})  # noqa: SLF001
    return made


def failing(action: Any, text: str) -> None:
    def execute(**_: Any) -> None:
        raise AnsibleConnectionFailure(text)

    action._execute_module = execute  # noqa: SLF001


def test_what_the_module_says_is_handed_on(action: Any) -> None:
    action._execute_module = lambda **_: {"action": "none"}  # noqa: SLF001
    assert action.run() == {"action": "none"}


def test_a_refused_user_is_explained(action: Any) -> None:
    failing(action, "deploy@192.0.2.1: Permission denied (publickey).")
    with pytest.raises(
        AnsibleActionFail, match=r"does not let deploy in.*playbooks/provision\.yml"
    ):
        action.run()


def test_a_host_that_does_not_answer_is_unreachable(action: Any) -> None:
    failing(action, "ssh: connect to host 192.0.2.1 port 22: Connection refused")
    with pytest.raises(AnsibleConnectionFailure, match="Connection refused"):
        action.run()


# waiting ----------------------------------------------------------------------------------------

BUSY = {"failed": True, "msg": "is busy", "busy": "the deploy by bob holds /srv/lock"}
PLAN = {"action": "roll"}


class Host:
    """Gives the answers that a test says, and notes how long each may wait for others."""

    def __init__(self, action: Any, patch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> None:
        self.action = action
        self.answers = list(answers)
        self.waits: list[int | None] = []
        self.shown: list[str] = []
        action._execute_module = self.execute  # noqa: SLF001
        patch.setattr(Display, "display", lambda _, text: self.shown.append(text))

    def execute(self, *, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert module_args["stack"] == "shop"
        assert task_vars == {"inventory_hostname": "web1"}
        self.waits.append(module_args.get("lock_wait"))
        return self.answers.pop(0)

    def run(self, **arguments: Any) -> Any:
        self.action._task.args |= arguments  # noqa: SLF001
        return self.action.run(task_vars={"inventory_hostname": "web1"})


def test_who_is_waited_for_is_shown_before_the_wait(
    action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(action, monkeypatch, BUSY, PLAN)
    assert host.run(lock_wait="300") == PLAN
    assert host.waits == [2, 300]
    assert host.shown == ["[web1] Waiting up to 300 s: the deploy by bob holds /srv/lock."]


def test_a_wait_that_was_in_vain_fails(action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Host(action, monkeypatch, BUSY, BUSY).run(lock_wait=300) == BUSY


@pytest.mark.parametrize("answer", [PLAN, {"failed": True, "msg": "it is frozen"}])
def test_where_nobody_is_waited_for_the_host_is_asked_once(
    action: Any, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    host = Host(action, monkeypatch, answer)
    assert host.run(lock_wait=300) == answer
    assert host.waits == [2]
    assert host.shown == []


@pytest.mark.parametrize("wait", [0, 2])
def test_a_wait_of_a_moment_is_not_worth_a_line(
    action: Any, monkeypatch: pytest.MonkeyPatch, wait: int
) -> None:
    host = Host(action, monkeypatch, BUSY)
    assert host.run(lock_wait=wait) == BUSY
    assert host.waits == [wait]
    assert host.shown == []


def test_a_question_that_waits_for_nobody_goes_as_it_is(
    action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(action, monkeypatch, PLAN)
    assert host.run() == PLAN
    assert host.waits == [None]


def test_all_questions_to_the_host_explain_it() -> None:
    assert rollback_plan.ActionModule is release_list.ActionModule is release_plan.ActionModule
