"""What Lynis says of the host."""

from __future__ import annotations

from typing import Any

import pytest
from bench.auditor import Auditor, Hardening


@pytest.fixture(scope="module")
def hardening(auditor: Auditor, waivers: dict[str, Any]) -> Hardening:
    """Have Lynis look at the host once, but for what a container cannot have or mend."""
    return auditor.hardening([*waivers["lynis"]["machine"], *waivers["lynis"]["inapplicable"]])


def test_index_is_no_less_than_85(hardening: Hardening) -> None:
    assert hardening.index >= 85, hardening.suggestions


def test_nothing_is_warned_of(hardening: Hardening) -> None:
    assert hardening.warnings == []


def test_nothing_is_suggested_but_what_is_declined(
    hardening: Hardening, waivers: dict[str, Any]
) -> None:
    found = {suggestion.check for suggestion in hardening.suggestions}
    declined = set(waivers["lynis"]["declined"])
    assert declined <= found <= declined | set(waivers["lynis"]["elsewhere"]), hardening.suggestions


def test_logins_leave_no_core_dump(server: Any) -> None:
    assert server.run("su", "-", "deploy", "-c", "ulimit -H -c").strip() == "0"


def test_idle_prompts_close_and_scripts_wait(server: Any) -> None:
    ask = "echo bound: $TMOUT"
    assert server.run("bash", "--login", "-i", "-c", ask).strip() == "bound: 1800"
    assert server.run("bash", "--login", "-c", ask).strip() == "bound:"


def test_no_account_has_a_password(server: Any) -> None:
    entries = [line.split(":") for line in server.run("cat", "/etc/shadow").splitlines()]
    assert len(entries) > 10
    assert {entry[0] for entry in entries if not entry[1].startswith(("!", "*"))} == set()
