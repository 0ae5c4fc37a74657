"""Trying a release: through the private way before visitors reach it, and under them afterwards."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.job import Policy
from ansible_collections.slipway.stack.plugins.module_utils.probe import (
    Answer,
    Entrance,
    ProbeFigures,
    Prober,
    Question,
    ask,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.soak import Thresholds, Watch
from ansible_collections.slipway.stack.plugins.module_utils.start import containers_of, routed

BASELINE_SECONDS = 0.3
VERDICT_SECONDS = 1
# A roll's bounds add up to less; the prober ends by itself even if the roll forgets it.
PROBE_LIMIT_SECONDS = 3600
LOG_LINES = 10
# Requests a replica gets before its first visitor, so that none pays for what is done once.
WARM_UP = 10


class Say(Protocol):
    """Tells the operator how far the roll is."""

    def __call__(
        self, phase: str, event: str, text: str = "", seconds: float | None = None
    ) -> None:
        """Tell that a phase begins or ends, or note something within it."""


class Trial:
    """The prober and the judgement of one roll."""

    def __init__(
        self, engine: Engine, proxy: Proxy, entrance: Entrance, policy: Policy, clock: Clock
    ) -> None:
        """Bring the parts together; nothing is asked yet."""
        self.engine = engine
        self.proxy = proxy
        self.entrance = entrance
        self.policy = policy
        self.clock = clock

    @contextmanager
    def probing(self, new: Manifest, old: Manifest | None) -> Iterator[None]:
        """Ask the public entry point all through the block, if there is anybody who answers."""
        self.new = new
        # Of a release of 0.1.0 nobody knows what it can be asked.
        asked = questions(old if old and not old.made_by_0_1_0 else new)
        self.prober = Prober(self.entrance, asked, rate=self.policy.probe_rate, clock=self.clock)
        self.watching = Watch(
            new,
            self.engine,
            self.proxy,
            self.prober,
            Thresholds(
                max_error_percent=self.policy.soak_max_error_percent,
                max_p95=self.policy.soak_max_p95,
                max_lost=self.policy.probe_max_lost,
            ),
            self.clock,
        )
        with ThreadPoolExecutor(1) as pool:
            self.begun = pool.submit(self._begin, old)
            try:
                yield
            finally:
                self.begun.exception()
                self.prober.end()

    def _begin(self, old: Manifest | None) -> None:
        if old:
            self.prober.baseline(BASELINE_SECONDS)
            self.watching.baseline(old)
            self.prober.begin(PROBE_LIMIT_SECONDS)

    def await_baseline(self) -> None:
        """Wait until it is known what works now; before that, nothing may touch what serves."""
        self.begun.result()

    def smoke(self, new: Manifest) -> None:
        """Ask the release by its private way; warm it up with the same questions."""
        for question in questions(new):
            replicas = len(new.services[question.service]["containers"])
            answers = [self._ask_privately(new, question) for _ in range(replicas * WARM_UP)]
            if problem := next(filter(None, (bad(answer, new.id) for answer in answers)), ""):
                raise ReleaseError(
                    f"The release is healthy, but does not answer through Traefik: "
                    f"{question.path} (stack_services.{question.service}.probe) {problem}. "
                    f"No visitor has met it.\n{self.last_lines(new)}"
                )

    def _ask_privately(self, new: Manifest, question: Question) -> Answer:
        headers = {**question.headers, "X-Slipway-Release": new.id}
        return ask(self.entrance, question.path, headers=headers)

    def compare(self, old: Manifest | None) -> None:
        """Measure the old release again, under today's visitors, before the new one meets them."""
        if old:
            self.watching.baseline(old)

    def narrow(self, new: Manifest) -> None:
        """Ask no more at names that the new release does not have: who drops them means it."""
        kept = {one.host for one in questions(new)}
        self.prober.turn_to([one for one in self.prober.questions if one.host in kept])

    def expect(self, release: Manifest | None) -> None:
        """Say whose answers count from now on, at its new names too; None: anybody's."""
        self.prober.expect(release.id if release else None)
        if release:
            asked = self.prober.questions
            known = {one.host for one in asked}
            self.prober.turn_to([*asked, *(q for q in questions(release) if q.host not in known)])

    def watch(self, seconds: float, *, also: Callable[[], None]) -> None:
        """Ask for the verdict until the time is over; ReleaseError when the release is bad."""
        bound = self.clock.now() + seconds
        while True:
            also()
            if reason := self.watching.verdict():
                raise ReleaseError(f"{reason}\n{self.last_lines(self.new)}")
            left = bound - self.clock.now()
            if left <= 0:
                return
            self.clock.pause(min(VERDICT_SECONDS, left))

    def judge_probe(self) -> None:
        """Refuse a release that cost more requests than it may."""
        figures = self.figures()
        if figures.lost > self.policy.probe_max_lost:
            raise ReleaseError(
                f"The prober lost {figures.lost} of {figures.asked} requests "
                f"(stack_probe_max_lost: {self.policy.probe_max_lost}): "
                f"{'; '.join(figures.losses)}\n{self.last_lines(self.new)}"
            )

    def lost_after_all(self) -> list[str]:
        """Return what the prober lost, if that is more than a release may cost."""
        figures = self.figures()
        return figures.losses if figures.lost > self.policy.probe_max_lost else []

    def figures(self) -> ProbeFigures:
        """Return what the prober has counted so far."""
        return self.prober.figures()

    def last_lines(self, manifest: Manifest) -> str:
        """Return what the routed containers of a release wrote last."""
        return "\n".join(
            f"Last lines of {name}:\n{self.engine.logs(name, LOG_LINES) or '(it wrote nothing)'}"
            for name in containers_of(manifest, routed(manifest))
        )


def questions(manifest: Manifest) -> list[Question]:
    """Return what the prober asks of a release: one path of each routed service."""
    return [
        Question(name, manifest.services[name]["probe"], manifest.services[name]["domain"])
        for name in routed(manifest)
    ]


def bad(answer: Answer, release_id: str) -> str:
    """Say why an answer to the smoke request fails a release, or nothing.

    What the application refuses (4xx) is its own affair: a probe's path may ask for a login.
    """
    if answer.error:
        return f"gave no answer: {answer.error}"
    if answer.release != release_id:
        return f"was answered {answer.status} by {answer.release or 'Traefik itself'}"
    return f"answered {answer.status}" if answer.status >= http.client.INTERNAL_SERVER_ERROR else ""
