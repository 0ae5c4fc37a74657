"""Telling the team: what happened to a stack or in the pipeline, as chats and programs take it.

A notice that is lost must never fail what it is about, so `send` returns why instead of raising.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

FAILED, RECOVERED, DEPLOYED, ROLLED_BACK = "failed", "recovered", "deployed", "rolled back"
MARKS = {FAILED: "🔴", RECOVERED: "🟢", DEPLOYED: "🟢", ROLLED_BACK: "🟠"}
SEND_SECONDS = 10
LONGEST_DETAIL = 600  # characters; chats cut far later, people far earlier


@dataclass(frozen=True)
class Notice:
    """What there is to tell: `status`, one line, further lines, and where to look."""

    status: str
    title: str
    details: tuple[str, ...] = ()
    link: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def slack(notice: Notice) -> dict[str, Any]:
    """Return the body that incoming webhooks of Slack take, and of Mattermost and Discord."""
    lines = [f"{MARKS[notice.status]} *{_plain(notice.title)}*"]
    lines += [_plain(detail) for detail in notice.details]
    if notice.link:
        lines.append(f"<{notice.link}|Look there>")
    return {"text": "\n".join(lines)}


def generic(notice: Notice) -> dict[str, Any]:
    """Return the body for programs: the notice's fields, and its `facts` beside them."""
    plain = asdict(notice)
    return {"source": "slipway", **plain.pop("facts"), **plain}


def shortened(text: str) -> str:
    """Cut a message to what fits into a chat."""
    return text if len(text) <= LONGEST_DETAIL else f"{text[: LONGEST_DETAIL - 1]}…"


def tell(notice: Notice, *, slack_url: str, webhook_url: str) -> list[str]:
    """Send a notice to each address that is set; return what could not be told."""
    parts = (("Slack", slack_url, slack), ("the webhook", webhook_url, generic))
    told = ((name, send(url, body(notice))) for name, url, body in parts if url)
    return [f"{name} was not told: {problem}" for name, problem in told if problem]


def send(url: str, body: dict[str, Any]) -> str:
    """Post JSON; return why it did not arrive, never with the address, which is a secret."""
    try:
        request = urllib.request.Request(  # noqa: S310 - an operator's own address
            url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "User-Agent": "slipway"},
        )
        with urllib.request.urlopen(request, timeout=SEND_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return f"it does not answer ({str(reason).replace(url, 'its address')})"


def rolled(report: dict[str, Any], *, stack: str, who: str, problem: str) -> Notice:
    """Make the notice of a roll that ended; its `problem` is empty when it ended well."""
    back = report["action"] == "rollback"
    what = "rollback" if back else "deploy"
    facts = {
        "stage": what,
        "environment": stack,
        "version": report.get("version", ""),  # a roll that failed may have left no report
        "actor": who,
    }
    by = f" by {who}" if who else ""
    if problem:
        return Notice(FAILED, f"{stack}: the {what}{by} failed", (shortened(problem),), facts=facts)
    title = f"{stack}: {'back to' if back else 'now'} {report['version']}{by}"
    return Notice(ROLLED_BACK if back else DEPLOYED, title, tuple(figures(report)), facts=facts)


def figures(report: dict[str, Any]) -> Iterable[str]:
    """Say what a roll did in lines: from → to, seconds, requests."""
    probe, seconds = report["probe"], sum(report["seconds"].values())
    yield f"{report['old'] or 'nothing'} → {report['new']} in {seconds:.0f} s"
    yield f"{probe['asked']} requests probed, {probe['lost']} lost"


def _plain(text: str) -> str:
    """Escape what Slack would read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
