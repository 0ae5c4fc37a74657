"""A job of the host-side process: what it is to do, how far it is, how it ended.

    <stack directory>/jobs/<id>/{job.json, code.zip, progress.jsonl, result.json}

Traefik's own jobs, its flips, lie in <host directory>/traefik/jobs.

The controller writes the job and reads the rest; the process on the host does the opposite. Neither
needs the other to be alive.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
    write_atomically,
)

DEPLOY, ROLLBACK = "deploy", "rollback"


@dataclass(frozen=True)
class Policy:
    """How a release comes and goes; times are in seconds, see `roles/stack` for each."""

    drain_timeout: float
    keep: int
    soak_seconds: float
    soak_max_error_percent: float
    soak_max_p95: float
    probe_rate: float
    probe_max_lost: int
    canary: list[int]
    lock_wait: float


@dataclass(frozen=True)
class Job:
    """What the host-side process is to do.

    `expected` is the release that served when the job was planned. `commands` maps `before` and
    `after` to lists of `{name, timeout}`. `actor` is that of whoever runs this job.
    """

    action: str
    stack: str
    release: str
    expected: str | None
    host_directory: str
    policy: Policy
    commands: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    actor: dict[str, Any] = field(default_factory=dict)
    ignore_freeze: bool = False
    allow_older_run: bool = False

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Job:
        """Read a job from what JSON or Ansible made of it; an earlier version's may say more."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        return cls(**{**values, "policy": Policy(**values["policy"])})

    @property
    def directory(self) -> StackDirectory:
        """The stack that this is about."""
        return StackDirectory(Path(self.host_directory), self.stack)


@dataclass(frozen=True)
class JobDirectory:
    """Where one job lies."""

    path: Path

    @property
    def code(self) -> Path:
        """The archive with the code that runs the job: the controller's own, so they agree."""
        return self.path / "code.zip"

    def content(self) -> dict[str, Any]:
        """Read what is to be done, as it was written down."""
        found: dict[str, Any] = json.loads((self.path / "job.json").read_text())
        return found

    def job(self) -> Job:
        """Read what is to be done for a stack."""
        return Job.from_mapping(self.content())

    def say(self, phase: str, event: str, text: str = "", seconds: float | None = None) -> None:
        """Add a line to the progress: `begin` and `end` of a phase, or a `note` within it."""
        line = {"at": time.time(), "phase": phase, "event": event, "text": text}
        if seconds is not None:
            line["seconds"] = seconds
        with (self.path / "progress.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")

    def progress(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the lines after the first `after`; a line that is being written is left out."""
        try:
            text = (self.path / "progress.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [
            json.loads(line) for line in text.splitlines(keepends=True)[after:] if line[-1:] == "\n"
        ]

    def finish(self, result: dict[str, Any]) -> None:
        """Write down how the job ended, in one step."""
        write_atomically(self.path / "result.json", json.dumps(result, indent=2) + "\n", mode=0o640)

    def result(self) -> dict[str, Any] | None:
        """Return how the job ended, or None while it has not."""
        try:
            found: dict[str, Any] = json.loads((self.path / "result.json").read_text())
        except FileNotFoundError:
            return None
        return found


def new_job(job: Job) -> JobDirectory:
    """Put a job for a stack on the host; nothing of it runs yet."""
    return put_job(job.directory.jobs, asdict(job))


def put_job(jobs: Path, content: dict[str, Any]) -> JobDirectory:
    """Put a job among others on the host; nothing of it runs yet."""
    jobs.mkdir(mode=0o750, exist_ok=True)
    name = f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    path = jobs / name
    path.mkdir(mode=0o750)
    write_atomically(path / "job.json", json.dumps(content, indent=2) + "\n", mode=0o640)
    return JobDirectory(path)


def job_named(directory: StackDirectory, name: str) -> JobDirectory:
    """Find a job by its id."""
    path = directory.jobs / name
    if not (path / "job.json").is_file():
        raise ReleaseError(f"There is no job {name} on the host: {path} is missing.")
    return JobDirectory(path)
