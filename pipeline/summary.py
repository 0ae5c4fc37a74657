"""What a deploy did, short, for the page of its run."""

from __future__ import annotations

from ansible_collections.slipway.stack.plugins.module_utils.outcome import (
    DEPLOYED,
    FAILED,
    OVERTAKEN,
    UNCHANGED,
    Outcome,
)

TITLES = {
    DEPLOYED: "🟢 {where}: deployed",
    UNCHANGED: "🟢 {where}: nothing to do, it serves already",
    OVERTAKEN: "⚪ {where}: a newer run came first",
    FAILED: "🔴 {where}: failed",
}


def summary(outcome: Outcome, environment: str) -> str:
    """Return Markdown: from → to, seconds, requests probed and lost, a link to the site."""
    parts = [f"### {TITLES[outcome.result].format(where=environment)}"]
    if report := outcome.report:
        probe = report["probe"]
        rows = {
            "from": f"`{report['old']}`" if report["old"] else "nothing",
            "to": f"`{report['new']}`",
            "version": f"`{report['version']}`",
            "seconds": f"{sum(report['seconds'].values()):.1f}",
            "requests probed": str(probe["asked"]),
            "lost": f"**{probe['lost']}**",
        }
        cells = [" | ".join(part) for part in (rows, ["---"] * len(rows), rows.values())]
        parts.append("\n".join(f"| {line} |" for line in cells))
    if outcome.message:
        parts.append(f"```text\n{outcome.message.replace('```', '` ` `')}\n```")
    if outcome.domain:
        parts.append(f"https://{outcome.domain}/")
    return "\n\n".join(parts)
