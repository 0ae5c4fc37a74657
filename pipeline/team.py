"""Tell the team that the pipeline failed, where, or that it is well again.

Nothing in here fails a run: what cannot be found out is left out, and what cannot be told is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.notice import (
    FAILED,
    RECOVERED,
    Notice,
)

from pipeline.github import Run

# The conclusions that say something of the commit; a run that somebody cancelled says nothing.
BAD = frozenset({"failure", "timed_out", "startup_failure"})
GOOD = frozenset({"success"})
SHORT_COMMIT = 8
LOOKED_AT = 20  # earlier runs
MOST_NAMED = 5  # failed jobs

Ask = Callable[[str], Any]


def notice(run: Run, needs: Mapping[str, str], ask: Ask) -> Notice | None:
    """Return what there is to tell of a run whose stages ended so (`needs`, by stage).

    A stage that never began because an earlier one failed is `skipped`, which is no failure. One
    that took too long is `cancelled`; a run that somebody cancelled as a whole never comes here.
    """
    failed = [stage for stage, result in needs.items() if result in {"failure", "cancelled"}]
    who = f" by {run.actor}" if run.actor else ""
    what = f"run {run.number}, {run.commit[:SHORT_COMMIT]}{who}"
    facts = {
        "repository": run.repository,
        "commit": run.commit,
        "run_number": run.number,
        "actor": run.actor,
    }
    if failed:
        stage = failed[0]
        details = [f"The stage '{stage}' failed ({what}).", *failed_jobs(run, ask)]
        title = f"{run.repository}: the pipeline failed in '{stage}'"
        return Notice(FAILED, title, tuple(details), run.url, {"stage": stage, **facts})
    if previous(run, ask) in BAD:
        title = f"{run.repository}: the pipeline is well again"
        return Notice(RECOVERED, title, (what,), run.url, facts)
    return None


def failed_jobs(run: Run, ask: Ask) -> list[str]:
    """Name the jobs and steps that failed, with their pages, as far as GitHub tells."""
    path = f"/repos/{run.repository}/actions/runs/{run.id}/jobs?filter=latest&per_page=100"
    found = []
    for job in _asked(ask, path).get("jobs", []):
        if job.get("conclusion") in BAD:
            steps = [one["name"] for one in job.get("steps", []) if one.get("conclusion") in BAD]
            step = f", step '{steps[0]}'" if steps else ""
            found.append(f"{job['name']}{step}: {job.get('html_url', '')}")
    return found[:MOST_NAMED]


def previous(run: Run, ask: Ask) -> str:
    """Return how the attempt or the run before this one ended; empty when nobody knows."""
    if run.attempt > 1:
        path = f"/repos/{run.repository}/actions/runs/{run.id}/attempts/{run.attempt - 1}"
        if said := _asked(ask, path).get("conclusion"):
            return str(said)
    path = (
        f"/repos/{run.repository}/actions/workflows/{run.workflow}/runs"
        f"?branch={run.branch}&status=completed&per_page={LOOKED_AT}"
    )
    runs = _asked(ask, path).get("workflow_runs", [])
    earlier = [one for one in runs if one.get("run_number", 0) < run.number]
    for one in sorted(earlier, key=lambda one: -int(one["run_number"])):
        if one.get("conclusion") in BAD | GOOD:
            return str(one["conclusion"])
    return ""


def results(text: str) -> dict[str, str]:
    """Read GitHub's context `needs`: how each stage ended, in the order in which they run."""
    return {name: str(one.get("result", "")) for name, one in json.loads(text or "{}").items()}


def _asked(ask: Ask, path: str) -> dict[str, Any]:
    try:
        found = ask(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
