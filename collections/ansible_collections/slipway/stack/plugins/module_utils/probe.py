"""The prober: asks the public entry point all through a roll and counts what was lost.

An open loop: a late answer does not slow the next question. Nothing is asked twice. Half of the
questions come on new connections, half on kept ones. What was so before the roll is not blamed on
it, and a question is judged by what was true when it began.
"""

from __future__ import annotations

import statistics
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.entrance import (
    ANSWER_SECONDS,
    Answer,
    Connection,
    Entrance,
    Question,
    ask,
)
from ansible_collections.slipway.stack.plugins.module_utils.losses import (
    ProbeFigures,
    faults_of,
    loss,
)

__all__ = ["Answer", "Entrance", "ProbeFigures", "Prober", "Question", "Sample", "ask"]

# Each question goes both ways, new and kept, three times.
BASELINE_ROUNDS = 6
# Behind by more than this, the process itself stood still: what it did not ask was not lost.
CATCH_UP_SECONDS = 1.0
NAP_SECONDS = 0.25
# Below the 1024 files that a process may have open.
MOST_WAITING = 512
SHOWN_LOSSES = 5
RECENT_SECONDS = 30.0


@dataclass(frozen=True)
class Sample:
    """One question of late: `seconds` that it took or has waited, `fault` if it was lost.

    `usual` is what its path took before the roll, None if nobody asked.
    """

    question: Question
    begun: float
    seconds: float
    release: str
    fault: str
    answered: bool
    usual: float | None


@dataclass(eq=False)
class _Probe:
    """A question under way; `expectation` is what had been said of releases when it began."""

    question: Question
    kept: bool
    begun: float
    expectation: tuple[int, str | None]
    baseline: bool
    answer: Answer | None = None
    fault: str = ""


class Prober:
    """Asks `questions` in turn at a `rate` a second; a rate of 0 asks nothing at all."""

    def __init__(
        self,
        entrance: Entrance,
        questions: Sequence[Question],
        *,
        rate: float,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet."""
        self.entrance = entrance
        self.questions = list(questions)
        self.rate = rate if questions else 0
        self.clock = clock or Clock()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._driver: threading.Thread | None = None
        self._begun = self.clock.now()
        self._expectation: tuple[int, str | None] = (0, None)
        self._before: dict[Question, set[str]] = {}
        self._usual: dict[Question, list[float]] = {}
        self._idle: list[Connection] = []
        self._waiting: set[_Probe] = set()
        self._recent: deque[_Probe] = deque()
        self._releases: Counter[str] = Counter()
        self._losses: list[str] = []
        self._asked = self._lost = 0
        self._slowest = 0.0

    def baseline(self, seconds: float) -> None:
        """Ask every question a few times over some seconds, and remember what is broken now."""
        if not self.rate:
            return
        for number in range(BASELINE_ROUNDS * len(self.questions)):
            self._launch(number, baseline=True)
            self.clock.pause(seconds / BASELINE_ROUNDS / len(self.questions))
        self._await_answers()

    def begin(self, limit_seconds: float) -> None:
        """Ask on, in the background, until `end` or until the limit, whoever may have died."""
        if not self.rate:
            return
        self._begun = self.clock.now()
        self._driver = threading.Thread(target=self._drive, args=(limit_seconds,), daemon=True)
        self._driver.start()

    def expect(self, release_id: str | None) -> None:
        """Want this release to answer whatever begins from now on; None: any release may.

        A question that began before, or during which this changes, may be answered by either.
        """
        with self._changed:
            self._expectation = (self._expectation[0] + 1, release_id)

    def turn_to(self, questions: Sequence[Question]) -> None:
        """Ask these from now on; wait for the answers to others that are still under way."""
        with self._changed:
            self.questions = list(questions)
            self._changed.wait_for(
                lambda: all(one.question in self.questions for one in self._waiting),
                ANSWER_SECONDS,
            )

    def figures(self) -> ProbeFigures:
        """Count what was asked and lost so far."""
        with self._changed:
            return ProbeFigures(
                asked=self._asked,
                lost=self._lost,
                slowest=round(self._slowest, 3),
                losses=list(self._losses),
                waiting=len(self._waiting),
                releases=dict(self._releases),
            )

    def recent(self, seconds: float) -> list[Sample]:
        """List the questions that began in the last seconds (30 at most)."""
        with self._changed:
            now = self.clock.now()
            return [
                Sample(
                    question=one.question,
                    begun=one.begun,
                    seconds=one.answer.seconds if one.answer else now - one.begun,
                    release=one.answer.release if one.answer else "",
                    fault=one.fault,
                    answered=one.answer is not None,
                    usual=statistics.median(usual) if usual else None,
                )
                for one in self._recent
                if now - one.begun <= seconds
                for usual in [self._usual.get(one.question)]
            ]

    def end(self) -> ProbeFigures:
        """Stop asking, wait for what is under way (15 seconds and a bit at most), and count."""
        self._stopped.set()
        if self._driver:
            self._driver.join(4 * NAP_SECONDS)
        self._await_answers()
        self._keep(None)
        return self.figures()

    # in the background --------------------------------------------------------------------------

    def _drive(self, limit_seconds: float) -> None:
        """Ask when it is time to, and never later because an answer is late."""
        due, number = self._begun, 0
        while not self._stopped.is_set():
            now = self.clock.now()
            if now - self._begun >= limit_seconds:
                break
            if now < due:
                self.clock.pause(min(due - now, NAP_SECONDS))
                continue
            self._launch(number, baseline=False)
            number += 1
            due = max(due + 1 / self.rate, now - CATCH_UP_SECONDS)
        self._stopped.set()
        self._keep(None)

    def _launch(self, number: int, *, baseline: bool) -> None:
        """Begin a question in a thread of its own: there is always one free."""
        with self._changed:
            if not self.questions:
                return
            question = self.questions[number % len(self.questions)]
            kept = number // len(self.questions) % 2 == 1
            now = self.clock.now()
            probe = _Probe(question, kept, now, self._expectation, baseline)
            self._waiting.add(probe)
            if not baseline:
                self._asked += 1
                self._recent.append(probe)
                while now - self._recent[0].begun > RECENT_SECONDS:
                    self._recent.popleft()
            full = len(self._waiting) > MOST_WAITING
        try:
            if not full:
                threading.Thread(target=self._ask, args=(probe,), daemon=True).start()
                return
        except RuntimeError:  # the system has no more threads
            pass
        self._finish(probe, Answer(0, "", 0.0, "too many before it have no answer to ask more"))

    def _ask(self, probe: _Probe) -> None:
        connection = self._kept_connection() if probe.kept else None
        question = probe.question
        answer = ask(self.entrance, question.path, headers=question.headers, connection=connection)
        if connection:
            self._keep(connection)
        self._finish(probe, answer)

    def _finish(self, probe: _Probe, answer: Answer) -> None:
        """Judge and count an answer, once."""
        with self._changed:
            if probe not in self._waiting:
                return
            self._waiting.remove(probe)
            self._changed.notify_all()
            probe.answer = answer
            expected = probe.expectation[1] if probe.expectation == self._expectation else None
            faults = faults_of(answer, expected)
            if probe.baseline:
                self._before.setdefault(probe.question, set()).update(faults)
                self._usual.setdefault(probe.question, []).append(answer.seconds)
                return
            self._slowest = max(self._slowest, answer.seconds)
            if answer.release:
                self._releases[answer.release] += 1
            probe.fault = loss(faults, self._before.get(probe.question))
            if probe.fault:
                self._lost += 1
                if len(self._losses) < SHOWN_LOSSES:
                    way = "a kept" if probe.kept else "a new"
                    self._losses.append(
                        f"{probe.begun - self._begun:.1f} s after the beginning, "
                        f"{probe.question.path} ({probe.question.service}) on {way} connection: "
                        f"{probe.fault}"
                    )

    def _await_answers(self) -> None:
        """Wait for all answers; what has none after the bound has been lost."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, ANSWER_SECONDS + 1)
            left = list(self._waiting)
        for probe in left:
            error = f"no answer within {ANSWER_SECONDS:g} s"
            self._finish(probe, Answer(0, "", ANSWER_SECONDS, error))

    def _kept_connection(self) -> Connection:
        """Take the connection that was used last, or a new one where the server took its leave."""
        while True:
            with self._changed:
                if not self._idle:
                    return Connection(self.entrance)
                connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.close()

    def _keep(self, connection: Connection | None) -> None:
        """Keep a connection for later; close those that nobody will use again."""
        with self._changed:
            idle = [*self._idle, *([connection] if connection else [])]
            self._idle = [] if self._stopped.is_set() else [one for one in idle if one.usable()]
            gone = [one for one in idle if one not in self._idle]
        for one in gone:
            one.close()
