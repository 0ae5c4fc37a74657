"""What GitHub Actions gives a step and takes from it; on another CI all of it is optional."""

from __future__ import annotations

import json
import os
import secrets
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Run:
    """The run that this is a step of; empty and 0 where nobody says."""

    repository: str = ""
    commit: str = ""
    branch: str = ""
    actor: str = ""
    number: int = 0
    id: str = ""
    attempt: int = 1
    workflow: str = ""
    url: str = ""


def this_run(environment: dict[str, str] | os._Environ[str] = os.environ) -> Run:
    """Read GitHub's variables."""
    get = environment.get
    repository, run_id = get("GITHUB_REPOSITORY", ""), get("GITHUB_RUN_ID", "")
    server = get("GITHUB_SERVER_URL", "https://github.com")
    # owner/name/.github/workflows/file.yml@refs/heads/main
    workflow = get("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2]
    return Run(
        repository=repository,
        commit=get("GITHUB_SHA", ""),
        branch=get("GITHUB_REF_NAME", ""),
        actor=get("GITHUB_ACTOR", ""),
        number=int(get("GITHUB_RUN_NUMBER") or 0),
        id=run_id,
        attempt=int(get("GITHUB_RUN_ATTEMPT") or 1),
        workflow=workflow,
        url=f"{server}/{repository}/actions/runs/{run_id}" if run_id else "",
    )


def output(name: str, value: str) -> None:
    """Hand a value on to later jobs, and print it for people and other CIs."""
    print(f"{name}={value}", flush=True)
    if path := os.environ.get("GITHUB_OUTPUT"):
        # A delimiter that no value can hold.
        end = secrets.token_hex(16)
        with Path(path).open("a") as file:
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


def summary(text: str) -> None:
    """Add Markdown to the job's page, or print it."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        print(text, flush=True)
        return
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def error(text: str) -> None:
    """Print an error so that GitHub shows it on the run's first page."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error::{escaped}", flush=True)
    else:
        print(f"\n{text}", flush=True)


def ask(path: str) -> Any:
    """Get a path of GitHub's API; OSError or ValueError when it does not answer in kind."""
    base = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "slipway"}
    if token := os.environ.get("GITHUB_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{base}{path}", headers=headers)  # noqa: S310 - GitHub's own
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
        return json.load(answer)
