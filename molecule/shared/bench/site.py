"""A stack on a test host, as deploys change it, as the host remembers it and as visitors see it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

from bench.asking import Record
from bench.engine import docker
from bench.playbooks import Environment, Run
from bench.shell import BenchError
from bench.visitor import Visitor

POLL_SECONDS: Final = 0.2
# The first can turn bad, see the overlay molecule/shared/overlays/load; the second is always good.
VERSIONS: Final = ("roll-1", "roll-2")


@dataclass(frozen=True)
class Site:
    """A stack by its environment, its name, and the host that it lives on."""

    environment: Environment
    stack: str
    domain: str
    port: int
    container: str

    def visitor(self) -> Visitor:
        """Return a visitor whom nobody has seen before."""
        return Visitor(self.domain, self.port)

    def serves(self) -> dict[str, str]:
        """Return the release and the version that serve visitors."""
        answer: dict[str, str] = self.visitor().get("/version").json()
        return answer

    @property
    def routes(self) -> str:
        """The file on the host that says what serves."""
        return f"/srv/slipway/traefik/dynamic/{self.stack}.yml"

    def other_version(self) -> str:
        """Return a version that does not serve now."""
        return next(one for one in VERSIONS if one != self.serves()["version"])

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        return f"https://{self.domain}:{self.port}"

    def deploy(self, *options: str, **variables: Any) -> Run:
        """Run the shipped deploy."""
        return self.environment.playbook("deploy.yml", *options, **variables)

    def bad_deploy(self, fault: str, **variables: Any) -> Run:
        """Deploy a release that is bad on purpose, in the words of the overlay `load`."""
        environment = {"BENCH_FAULT": fault}
        return self.deploy(stack_version=VERSIONS[0], stack_environment=environment, **variables)

    def rollback(self, release: str = "") -> Run:
        """Run the shipped rollback, to the release before if none is named."""
        named = {"release": release} if release else {}
        return self.environment.playbook("playbooks/rollback.yml", **named)

    def run(self, *command: str) -> str:
        """Run a command as root on the host and return what it wrote."""
        return docker("exec", self.container, *command)

    def read(self, path: str) -> str:
        """Read a file below the stack's directory."""
        return self.run("cat", f"/srv/slipway/stacks/{self.stack}/{path}")

    def history(self) -> list[dict[str, Any]]:
        """Return how each roll ended, the oldest first."""
        return [json.loads(line) for line in self.read("history.jsonl").splitlines()]

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return what the host knows of each release, by the release's id."""
        read = "import json, sys; print(json.dumps([json.load(open(one)) for one in sys.argv[1:]]))"
        files = f"/srv/slipway/stacks/{self.stack}/releases/*/manifest.json"
        found = json.loads(self.run("sh", "-c", f"python3 -c '{read}' {files}"))
        return {manifest["id"]: manifest for manifest in found}

    def jobs(self) -> list[str]:
        """Return the names of the rolls' jobs on the host, the oldest first."""
        return sorted(self.run("ls", f"/srv/slipway/stacks/{self.stack}/jobs").split())

    def ended(self, job: str) -> dict[str, Any] | None:
        """Return how a job ended, None if it has not."""
        place = f"/srv/slipway/stacks/{self.stack}/jobs/{job}"
        text = self.run("find", place, "-name", "result.json", "-exec", "cat", "{}", ";")
        found: dict[str, Any] | None = json.loads(text or "null")
        return found

    def progress(self, job: str = "") -> Progress:
        """Return how far a job is, the newest if none is named; it may not have begun."""
        place = f"/srv/slipway/stacks/{self.stack}/jobs/{job or self.jobs()[-1]}"
        text = self.run("find", place, "-name", "progress.jsonl", "-exec", "cat", "{}", ";")
        lines = text.splitlines(keepends=True)
        return Progress([json.loads(line) for line in lines if line.endswith("\n")])


@dataclass(frozen=True)
class Progress:
    """The lines of a job's progress; times are the wall clock's, which host and bench share."""

    lines: list[dict[str, Any]]

    def at(self, phase: str, event: str) -> float | None:
        """Return when a phase began or ended, None if it has not."""
        for line in self.lines:
            if (line["phase"], line["event"]) == (phase, event):
                return float(line["at"])
        return None

    def when(self, phase: str, event: str) -> float:
        """Return when a phase began or ended; BenchError if it has not."""
        found = self.at(phase, event)
        if found is None:
            raise BenchError(f"Phase {phase} did not {event}: {self.lines}")
        return found

    @property
    def working(self) -> tuple[float, float]:
        """From when the job had the lock until its last word."""
        return self.when("lock", "end"), float(self.lines[-1]["at"])


@dataclass
class Beside:
    """A playbook that runs beside the block, which may watch its progress."""

    site: Site
    work: Callable[[], Run]

    def __enter__(self) -> Self:
        """Begin."""
        self._known = set(self.site.jobs())
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(self.work)
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for its end."""
        self._pool.shutdown()

    @property
    def run(self) -> Run:
        """Wait for its end and say how it was."""
        return self._future.result()

    def wait(self, phase: str, event: str, seconds: float = 60) -> float:
        """Wait until its job is so far; return when that was. BenchError when it ended before."""
        bound = time.monotonic() + seconds
        while time.monotonic() < bound:
            ended = self.ended
            if names := sorted(set(self.site.jobs()) - self._known):
                found = self.site.progress(names[-1]).at(phase, event)
                if found is not None:
                    return found
            if ended:
                raise BenchError(f"It ended before phase {phase} did {event}:\n{self.run.output}")
            time.sleep(POLL_SECONDS)
        raise BenchError(f"Phase {phase} did not {event} within {seconds} s")

    @property
    def ended(self) -> bool:
        """Whether the playbook has ended."""
        return self._future.done()

    def passed(self, phase: str, event: str) -> bool:
        """Say whether its job is so far by now."""
        names = sorted(set(self.site.jobs()) - self._known)
        return bool(names) and self.site.progress(names[-1]).at(phase, event) is not None


def cost(records: list[Record], *, longest: float) -> list[Record]:
    """Return the questions that had no answer, a bad one, or waited longer than so many seconds."""
    return [record for record in records if record.lost or record.seconds > longest]
