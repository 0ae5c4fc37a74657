"""A branch is shown beside staging by its pull request, and is gone when that is closed."""

from __future__ import annotations

from typing import Final

from bench.branches import Branch
from bench.delivery import copies
from bench.delivery.act import Delivery, Event, commit_of, must
from bench.delivery.copies import DOMAINS, REPOSITORY
from bench.shell import BenchError, step

BRANCH: Final = Branch("feature/colour")


def show(delivery: Delivery) -> None:
    """Open a pull request and close it; its preview must come and go, and touch nothing else."""
    served = [commit_of(environment) for environment in DOMAINS]
    with step("Show a branch by its pull request"):
        commit = copies.change(BRANCH.name)
        must(delivery.run(commit, event=pull_request("opened", commit)), "Deploy")
        if commit_of(BRANCH.stack) != commit:
            raise BenchError(f"The preview shows {commit_of(BRANCH.stack)}, not {commit}")
    with step("Remove it as the pull request is closed"):
        must(delivery.run(commit, event=pull_request("closed", commit)), "Remove")
        if left := commit_of(BRANCH.stack):
            raise BenchError(f"The preview still shows {left}")
    if [commit_of(environment) for environment in DOMAINS] != served:
        raise BenchError("Previews changed what staging or production serves")


def pull_request(action: str, commit: str) -> Event:
    """Return what GitHub tells of a pull request."""
    head = {"sha": commit, "ref": BRANCH.name, "repo": {"full_name": REPOSITORY}}
    request = {"number": 1, "head": head, "user": {"login": "ada"}}
    told = {"action": action, "number": 1, "pull_request": request}
    return Event("pull_request", BRANCH.name, copies.PREVIEW_CALLER, told)
