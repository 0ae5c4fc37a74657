"""A host that does not know the user is explained; one that does not answer stays unreachable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
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


def test_all_questions_to_the_host_explain_it() -> None:
    assert rollback_plan.ActionModule is release_list.ActionModule is release_plan.ActionModule
