"""Notices reach chats and programs, and one that is lost says so without its address."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.notice import (
    FAILED,
    Notice,
    rolled,
    send,
    shortened,
    slack,
    tell,
)

from tests.unit.pipeline.receiver import Receiver

REPORT = {
    "action": "deploy",
    "old": None,
    "new": "20261122-101500-4f3a9c1e",
    "version": "1.4.1",
    "seconds": {"pull": 1.2, "soak": 30.0},
    "probe": {"asked": 412, "lost": 0},
}
NOTICE = Notice(
    FAILED,
    "shop: <tests> failed",
    ("backend & frontend",),
    "https://ci.example.com/7",
    {"stage": "test"},
)


def test_each_address_gets_its_own_form(receiver: Receiver) -> None:
    assert tell(NOTICE, slack_url=f"{receiver.url}/s", webhook_url=f"{receiver.url}/w") == []
    text = (
        "🔴 *shop: &lt;tests&gt; failed*\nbackend &amp; frontend\n"
        "<https://ci.example.com/7|Look there>"
    )
    assert dict(receiver.posted) == {
        "/s": {"text": text},
        "/w": {
            "source": "slipway",
            "status": "failed",
            "stage": "test",
            "title": "shop: <tests> failed",
            "details": ["backend & frontend"],
            "link": "https://ci.example.com/7",
        },
    }


def test_nobody_is_told_where_no_address_is_set() -> None:
    assert tell(NOTICE, slack_url="", webhook_url="") == []


def test_a_notice_that_is_lost_says_why_but_not_where(receiver: Receiver) -> None:
    receiver.pages["/secret"] = (403, {}, "no such hook")
    assert tell(NOTICE, slack_url=f"{receiver.url}/secret", webhook_url="") == [
        "Slack was not told: it answered 403"
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "nonsense-secret", "http://[secret"])
def test_an_address_that_is_wrong_never_raises_and_never_shows(url: str) -> None:
    problem = send(url, {})
    assert problem.startswith("it does not answer (")
    assert "secret" not in problem


def test_a_roll_that_ended_well_is_told_with_its_figures() -> None:
    found = rolled(REPORT, stack="production", who="ada", problem="")
    assert slack(found)["text"] == (
        "🟢 *production: now 1.4.1 by ada*\n"
        "nothing → 20261122-101500-4f3a9c1e in 31 s\n"
        "412 requests probed, 0 lost"
    ).replace(">", "&gt;")


def test_a_rollback_is_told_apart() -> None:
    back = rolled({**REPORT, "action": "rollback"}, stack="production", who="", problem="")
    assert (back.status, back.title) == ("rolled back", "production: back to 1.4.1")


def test_a_roll_that_failed_without_a_report_is_told_with_its_reason() -> None:
    found = rolled({"action": "deploy"}, stack="production", who="ada", problem="too slow")
    assert (found.status, found.details) == (FAILED, ("too slow",))
    assert found.title == "production: the deploy by ada failed"


def test_a_long_reason_is_cut() -> None:
    assert len(shortened("x" * 5000)) == 600
