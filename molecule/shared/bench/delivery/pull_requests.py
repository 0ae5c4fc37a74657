"""A branch is shown beside staging by its pull request, and is gone when that is closed."""

from __future__ import annotations

from typing import Final

from bench.delivery import copies
from bench.delivery.act import Delivery, Event, commit_of, must
from bench.delivery.copies import DOMAINS, REPOSITORY, SERVER
from bench.engine import docker
from bench.shell import BenchError, step

BRANCH: Final = "feature/colour"
PREVIEW: Final = "p-"  # how the names of their stacks begin


def show(delivery: Delivery) -> None:
    """Open a pull request and close it; its preview must come and go, and touch nothing else."""
    served = [commit_of(environment) for environment in DOMAINS]
    with step("Show a branch by its pull request"):
        commit = copies.change(BRANCH)
        must(delivery.run(commit, event=pull_request("opened", commit)), "Deploy")
        if previews() != [commit]:
            raise BenchError(f"The previews show {previews()}, not {commit} alone")
    with step("Remove it as the pull request is closed"):
        must(delivery.run(commit, event=pull_request("closed", commit)), "Remove")
        if previews():
            raise BenchError("The preview is still there")
    if [commit_of(environment) for environment in DOMAINS] != served:
        raise BenchError("Previews changed what staging or production serves")


def previews() -> list[str]:
    """Return the commit that each preview on the server shows."""
    stacks = docker("exec", SERVER, "ls", "/srv/slipway/stacks").split()
    return [commit_of(stack) for stack in stacks if stack.startswith(PREVIEW)]


def pull_request(action: str, commit: str) -> Event:
    """Return what GitHub tells of a pull request."""
    head = {"sha": commit, "ref": BRANCH, "repo": {"full_name": REPOSITORY}}
    request = {"number": 1, "head": head, "user": {"login": "ada"}}
    told = {"action": action, "number": 1, "pull_request": request}
    return Event("pull_request", BRANCH, copies.PREVIEW_CALLER, told)
