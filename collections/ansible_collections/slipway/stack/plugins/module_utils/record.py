"""Writing down how a roll ended: outcomes in the manifests, and a line in the history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import history
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.job import ROLLBACK, Job
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    RETIRED,
    ROLLED_BACK,
    SERVING,
    Manifest,
    utc_now,
)
from ansible_collections.slipway.stack.plugins.module_utils.trial import Say, Trial


@dataclass
class Report:
    """What a roll or flip did: from what to what, seconds per phase, what the prober counted."""

    action: str
    old: str | None
    new: str
    version: str
    images: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, say: Say, clock: Clock) -> Iterator[None]:
        """Tell that a phase begins and ends, and keep its seconds; one that fails has no end."""
        begun = clock.now()
        say(name, "begin")
        yield
        self.seconds[name] = round(clock.now() - begun, 2)
        say(name, "end", seconds=self.seconds[name])


class Record:
    """Keeps the record of one roll; its report goes on while the roll does."""

    def __init__(self, job: Job, trial: Trial, new: Manifest, report: Report) -> None:
        """Bring the parts together; nothing is written yet."""
        self.job = job
        self.directory = job.directory
        self.trial = trial
        self.new = new
        self.report = report

    def well(self) -> None:
        """Write down what serves now and what no longer does.

        An interrupted roll may have made the old release serve without writing it down.
        """
        for other in self.directory.manifests():
            if other.id != self.new.id and (
                other.outcome == SERVING or other.id == self.report.old
            ):
                gone_back = self.job.action == ROLLBACK and other.id > self.new.id
                other.outcome = ROLLED_BACK if gone_back else RETIRED
                self.directory.write_manifest(other)
        if self.new.outcome != SERVING:  # else an earlier roll has proved it, and its figures stay
            self.new.outcome, self.new.reason, self.new.finished = SERVING, "", utc_now()
            self._write_manifest()
        self._add_to_history(SERVING, "")

    def badly(self, reason: str) -> None:
        """Write down why the release does not serve; one that has served can serve again."""
        if self.new.outcome not in {RETIRED, ROLLED_BACK}:
            self.new.reason, self.new.finished = reason, utc_now()
            if self.directory.serving() != self.new.id:
                self.new.outcome = FAILED
            self._write_manifest()
        self._add_to_history(FAILED, reason)

    def _write_manifest(self) -> None:
        self.new.probe = asdict(self.trial.figures())
        self.new.seconds = dict(self.report.seconds)
        self.directory.write_manifest(self.new)

    def _add_to_history(self, outcome: str, reason: str) -> None:
        self.report.probe = asdict(self.trial.figures())
        history.append(
            self.directory,
            {
                "at": utc_now(),
                "action": self.job.action,
                "release": self.new.id,
                "from": self.report.old,
                "version": self.new.version,
                "images": self.new.images,
                "actor": self.job.actor,
                "outcome": outcome,
                "reason": reason,
                "probe": self.report.probe,
                "seconds": self.report.seconds,
            },
        )
