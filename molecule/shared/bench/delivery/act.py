"""The shipped workflow files, run by act on the runner: what is done, and how it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bench.delivery import copies, runner
from bench.delivery.copies import APPLICATION, DOMAINS, SERVER, SLIPWAY, Keys
from bench.engine import docker
from bench.names import LOGS
from bench.playbooks import Environment
from bench.shell import BenchError, tail
from bench.site import Site

INVENTORY: Final = "molecule/inventory/delivery"
PORT: Final = 8571
RUN_SECONDS: Final = 1200
SETTINGS: Final = {  # what the runner differs in from GitHub's own
    "REGISTRY_INSECURE": "true",
    "COREPACK_INTEGRITY_KEYS": "0",  # the npm registry here serves no signatures
    "GITHUB_API_URL": runner.RECEIVER,
    "GITHUB_WORKFLOW_REF": f"{copies.REPOSITORY}/{copies.CALLER}@refs/heads/main",
}


@dataclass(frozen=True)
class Event:
    """What happens on GitHub: on which branch, who is called then, and what GitHub tells of it."""

    name: str = "push"
    branch: str = copies.MAIN
    caller: str = copies.CALLER
    told: Mapping[str, Any] = field(default_factory=dict)


PUSH: Final = Event()
MARK: Final = "🏁"  # act's, before it says how a job ended


@dataclass(frozen=True)
class Result:
    """How a run of the workflow ended: each job by its name, and all that act said."""

    number: int
    jobs: dict[str, bool]
    output: str

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return bool(self.jobs) and all(self.jobs.values())

    def began(self, word: str) -> bool:
        """Say whether a job whose name begins so was run."""
        return any(name.startswith(word) for name in self.jobs)

    def failed(self, word: str) -> bool:
        """Say whether such a job failed."""
        return any(name.startswith(word) and not well for name, well in self.jobs.items())


def jobs_of(output: str) -> dict[str, bool]:
    """Read act's words, `[Pipeline/Pipeline/Test (a)-1 ] 🏁  Job succeeded`; True: it succeeded."""
    found = {}
    for line in output.splitlines():
        head, mark, end = line.partition(MARK)
        if mark:
            name = head.strip().removeprefix("[").removesuffix("]").split("/", 2)[-1]
            found[name.strip()] = "succeeded" in end
    return found


@dataclass
class Delivery:
    """The runner, both repositories, and main's runs so far: number and conclusion."""

    keys: Keys
    # Above those that the server has seen if it stands from an earlier time.
    number: int = field(default_factory=lambda: int(time.time()))
    before: list[tuple[int, str]] = field(default_factory=list)

    def run(self, commit: str, number: int = 0, event: Event = PUSH) -> Result:
        """Run a workflow on a commit as an event does, with the next number or a given one."""
        if not number:
            self.number += 1
            number = self.number
        result = act(self.keys, commit, number, event, self.before)
        if event == PUSH:
            self.before.append((number, "success" if result.ok else "failure"))
        return result


def act(
    keys: Keys, commit: str, number: int, event: Event, before: list[tuple[int, str]]
) -> Result:
    """Have act do the caller's jobs, on the runner itself."""
    folder, home = f"{runner.HOME}/run-{number}", f"{runner.HOME}/home-{number}"
    runner.execute("sh", "-c", f"rm -rf {folder} {home} && mkdir -m 0700 {home}")
    copies.git(runner.HOME, "clone", "--quiet", APPLICATION, folder)
    copies.git(folder, "checkout", "--quiet", "-B", event.branch, commit)
    # Act takes the repository's name from here.
    address = f"https://github.com/{copies.REPOSITORY}.git"
    copies.git(folder, "remote", "set-url", "origin", address)
    runner.tell_runs(before)
    runner.copy({"secrets": as_secret_file(keys.secrets())}, home, mode=0o600)
    runner.copy({"event.json": json.dumps(event.told).encode()}, home)
    variables = {"SSH_KNOWN_HOSTS": keys.known_hosts, "SMOKE_ADDRESS": f"{SERVER}:443"}
    settings = {**SETTINGS, "GITHUB_RUN_NUMBER": str(number), "GITHUB_RUN_ID": str(number)}
    command = [
        # A session of its own, by which it can be killed with all that it started.
        *("sh", "-c", f'echo $$ > {home}/session; exec "$@"', "sh"),
        *("timeout", str(RUN_SECONDS), "act", event.name, "--platform=ubuntu-24.04=-self-hosted"),
        *("--no-skip-checkout", "--use-new-action-cache", f"--secret-file={home}/secrets"),
        *(f"--eventpath={home}/event.json", f"--workflows={event.caller}"),
        *runner.replacements(SLIPWAY, copies.read(event.caller)),
        *(f"--var={name}={value}" for name, value in variables.items()),
        *(f"--env={name}={value}" for name, value in settings.items()),
    ]
    environment = {
        "HOME": home,
        "BENCH_APPLICATION": APPLICATION,
        "BENCH_SLIPWAY": SLIPWAY,
    }
    log = f"delivery-{number}"
    (LOGS / f"{log}.log").unlink(missing_ok=True)
    with suppress(BenchError):  # how the jobs ended says more than act's exit code
        runner.execute(*command, environment=environment, folder=folder, log=log)
    runner.execute("rm", "-rf", f"{home}/secrets")
    output = (LOGS / f"{log}.log").read_text()
    return Result(number, jobs_of(output), output)


def as_secret_file(secrets: dict[str, str]) -> bytes:
    """Write secrets as act reads them; single quotes leave line breaks and dollars alone."""
    return "".join(f"{name}='{value}'\n" for name, value in secrets.items()).encode()


def posted() -> list[dict[str, Any]]:
    """Return what was posted to the webhook since the last look."""
    text = runner.execute("cat", f"{runner.HOME}/posted.jsonl")
    runner.execute("sh", "-c", f": > {runner.HOME}/posted.jsonl")
    lines = map(json.loads, text.splitlines())
    return [line["body"] for line in lines if line["path"] == "/webhook"]


# what is there ----------------------------------------------------------------------------------


def site(environment: str) -> Site:
    """Return an environment as its visitors and its host know it."""
    known = Environment((f"inventories/{environment}", INVENTORY))
    return Site(known, environment, DOMAINS[environment], PORT, SERVER)


def commit_of(stack: str) -> str:
    """Return the commit that serves of a stack, or nothing."""
    path = f"/srv/slipway/stacks/{stack}/history.jsonl"
    lines = docker("exec", SERVER, "sh", "-c", f"cat {path} 2>/dev/null || true").splitlines()
    served = [json.loads(line) for line in lines]
    versions = [one["version"] for one in served if one["outcome"] == "serving"]
    return str(versions[-1]) if versions else ""


def kill(number: int) -> None:
    """Kill a run with all that it started on the runner, as a runner that is lost would."""
    runner.execute(
        "sh", "-c", f"pkill --signal KILL --session $(cat {runner.HOME}/home-{number}/session)"
    )


def must(result: Result, last: str = "Deploy to production") -> Result:
    """Raise BenchError, with the end of what act said, when a run did not get well to its end."""
    if not result.ok or not result.began(last):
        raise BenchError(f"Run {result.number} failed:\n{tail(result.output)}")
    return result
