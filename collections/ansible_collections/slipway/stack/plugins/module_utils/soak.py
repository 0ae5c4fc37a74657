"""The judgement over a release that visitors meet: what makes it bad enough to go back.

Its own figures in Traefik, its containers, and what the prober saw, each over the last seconds and
over the whole time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.definition import project_name
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.metrics import (
    ServiceFigures,
    minus,
    read_metrics,
)
from ansible_collections.slipway.stack.plugins.module_utils.probe import Prober
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, ReleaseError

# A release that turns bad is to be found within this, at 10 requests a second and more.
WINDOW_SECONDS = 5
# Fewer are one visitor who tries again, or one replica's hiccup.
LEAST_ERRORS = 5
# The prober's questions are known to be good: fewer of its own errors tell as much.
LEAST_PROBE_ERRORS = 3
# Of fewer, one slow answer would be the 95th percentile.
LEAST_TIMED = 20
SHARE = 0.95
# Traefik or the engine may be slow once, or be restarted; who is blind for longer stops.
BLIND_SECONDS = 10
# One failed health check of a replica may be chance; Traefik's come every `health.interval`.
SICK_SECONDS = 5

Figures = dict[str, ServiceFigures]


@dataclass(frozen=True)
class Thresholds:
    """What a release may do: 5xx in percent above the old one, p95 in seconds, lost requests."""

    max_error_percent: float
    max_p95: float
    max_lost: int


class Watch:
    """Watches one release; `verdict` is to be asked about once a second."""

    def __init__(  # noqa: PLR0917 - the parts that it brings together
        self,
        manifest: Manifest,
        engine: Engine,
        proxy: Proxy,
        prober: Prober,
        thresholds: Thresholds,
        clock: Clock | None = None,
    ) -> None:
        """Read nothing yet."""
        self.manifest = manifest
        self.engine = engine
        self.proxy = proxy
        self.prober = prober
        self.thresholds = thresholds
        self.clock = clock or Clock()
        self._before: Figures = {}
        self._usual: dict[str, list[ServiceFigures]] = {}
        self._readings: deque[tuple[float, Figures]] = deque()
        self._start: Figures | None = None
        self._since: float | None = None
        self._seen: dict[str, dict[str, Any]] = {}
        self._blind: dict[str, float] = {}
        self._sick: dict[str, float] = {}
        self._gone: dict[str, float] = {}

    def baseline(self, old: Manifest | None = None) -> None:
        """Remember what the old release does and what the new one has done, before the switch.

        Asked twice, what the old one did in between counts too: it may be worse today than it was
        in its life. What cannot be read is not held against anybody.
        """
        running = {name: one for name, one in self._inspect().items() if one["State"]["Running"]}
        self._seen.update(running)
        try:
            self._start = self._read(self.manifest)
            life = self._read(old) if old else {}
        except ReleaseError:
            return
        for name, figures in life.items():
            lately = minus(figures, self._before.get(name, figures))
            enough = lately.requests >= LEAST_TIMED
            self._usual[name] = [figures, lately] if enough else [figures]
        self._before = self._before or life

    def verdict(self) -> str:
        """Say why the release is bad, or nothing."""
        if self._since is None:
            self._since = self.clock.now()
        return next(self._reasons(), "")

    def _reasons(self) -> Iterator[str]:
        yield from self._lost()
        yield from self._containers()
        yield from self._probed()
        yield from self._served()

    # what the prober saw ------------------------------------------------------------------------

    def _lost(self) -> Iterator[str]:
        figures = self.prober.figures()
        if figures.lost > self.thresholds.max_lost:
            yield (
                f"The prober lost {figures.lost} of {figures.asked} requests, more than "
                f"stack_probe_max_lost ({self.thresholds.max_lost}) allows: "
                f"{'; '.join(figures.losses)}."
            )

    def _probed(self) -> Iterator[str]:
        """Judge the prober's errors and times; a question that still waits is as slow as that."""
        limit = self.thresholds.max_p95
        seconds = min(WINDOW_SECONDS + limit, self.clock.now() - (self._since or 0))
        mine = [one for one in self.prober.recent(seconds) if one.release in {"", self.manifest.id}]
        failed = [one for one in mine if one.fault]
        percent = 100 * len(failed) / len(mine) if mine else 0
        if len(failed) >= LEAST_PROBE_ERRORS and percent > self.thresholds.max_error_percent:
            one = failed[-1]
            yield (
                f"{len(failed)} of the prober's last {len(mine)} requests failed ({percent:.1f} %),"
                f" more than stack_soak_max_error_percent ({self.thresholds.max_error_percent:g}) "
                f"allows; the last was {one.question.path} of {one.question.service}: {one.fault}."
            )
        timed = [one for one in mine if one.usual is not None and one.usual < limit]
        slow = [one for one in timed if one.seconds > limit]
        if len(timed) >= LEAST_TIMED and len(slow) > (1 - SHARE) * len(timed):
            worst = max(slow, key=lambda one: one.seconds)
            yield (
                f"{len(slow)} of the prober's last {len(timed)} requests took or have waited longer"
                f" than stack_soak_max_p95 ({limit:g} s) allows to 5 % of them; the slowest was "
                f"{worst.question.path} of {worst.question.service}, {worst.seconds:.1f} s "
                f"(before the roll {worst.usual or 0:.2f} s)."
            )

    # what Traefik counted -----------------------------------------------------------------------

    def _served(self) -> Iterator[str]:
        try:
            figures = self._read(self.manifest)
        except ReleaseError as error:
            yield from self._unseen("Traefik's metrics", str(error))
            return
        self._blind.pop("Traefik's metrics", None)
        now = self.clock.now()
        if self._start is None:
            self._start = figures
        self._readings.append((now, figures))
        while len(self._readings) > 1 and now - self._readings[1][0] >= WINDOW_SECONDS:
            self._readings.popleft()
        begun, first = self._readings[0]
        if now - begun < WINDOW_SECONDS:  # what came between the switch and the first verdict
            first = self._start
        nothing = ServiceFigures()
        for service, values in sorted(self.manifest.services.items()):
            if not values["port"] or service not in figures:
                continue
            figure = figures[service]
            yield from self._servers(service, figure)
            for span, earlier in (
                (f"the last {WINDOW_SECONDS} seconds", first.get(service, nothing)),
                ("all its time", self._start.get(service, nothing)),
            ):
                yield from self._errors(service, minus(figure, earlier), span)
                yield from self._times(service, minus(figure, earlier), span)

    def _servers(self, service: str, figures: ServiceFigures) -> Iterator[str]:
        """Find replicas that have been unwell for too long."""
        down = sorted(url for url, up in figures.servers.items() if not up)
        for url in [*self._sick]:
            if figures.servers.get(url):
                del self._sick[url]
        for url in down:
            begun = self._sick.setdefault(url, self.clock.now())
            if self.clock.now() - begun >= SICK_SECONDS:
                yield (
                    f"{service}: {len(down)} of {len(figures.servers)} replicas fail Traefik's "
                    f"health check ({', '.join(down)}; stack_services.{service}.health)."
                )

    def _errors(self, service: str, figures: ServiceFigures, span: str) -> Iterator[str]:
        before = max((one.error_percent for one in self._usual.get(service, [])), default=0.0)
        worse = figures.error_percent - before
        if figures.errors >= LEAST_ERRORS and worse > self.thresholds.max_error_percent:
            yield (
                f"{service} answered {figures.errors} of {figures.requests} requests of {span} "
                f"with 5xx ({figures.error_percent:.1f} %; the release before {before:.1f} %), "
                f"more than stack_soak_max_error_percent ({self.thresholds.max_error_percent:g}) "
                f"allows."
            )

    def _times(self, service: str, figures: ServiceFigures, span: str) -> Iterator[str]:
        """Judge the times; whom nobody knows to have been faster before is not judged."""
        known = [one for one in self._usual.get(service, []) if one.timed]
        before = max((one.quantile(SHARE) for one in known), default=float("inf"))
        limit, took = self.thresholds.max_p95, figures.quantile(SHARE)
        if figures.timed >= LEAST_TIMED and took >= limit > before:
            yield (
                f"{service} took {took:g} s or longer to answer more than 5 % of the "
                f"{figures.timed} requests of {span} (the release before less than "
                f"{limit:g} s), which stack_soak_max_p95 ({limit:g}) does not allow."
            )

    # containers ---------------------------------------------------------------------------------

    def _containers(self) -> Iterator[str]:
        """Judge each container from the moment that it was seen running."""
        found, now = self._inspect(), self.clock.now()
        if not found and self._seen:
            yield from self._unseen("the release's containers", "the engine names none of them")
            return
        self._blind.pop("the release's containers", None)
        for name, state in found.items():
            self._gone.pop(name, None)
            started = state["State"]["Running"] or state["RestartCount"]
            if not started and name not in self._seen:
                continue
            before = self._seen.setdefault(name, {})
            if reason := ailing(state, before if before.get("Id") == state["Id"] else {}):
                yield f"{name} {reason}."
        for name in self._seen.keys() - found.keys():
            if now - self._gone.setdefault(name, now) >= WINDOW_SECONDS:
                yield f"{name} is gone: somebody removed it."

    def _inspect(self) -> dict[str, dict[str, Any]]:
        names = [name for one in self.manifest.services.values() for name in one["containers"]]
        try:
            return {one["Name"].lstrip("/"): one for one in self.engine.inspect(sorted(names))}
        except EngineError:
            return {}

    def _unseen(self, what: str, error: str) -> Iterator[str]:
        now = self.clock.now()
        begun = self._blind.setdefault(what, now)
        if now - begun >= BLIND_SECONDS:
            yield (
                f"For {now - begun:.0f} seconds {what} could not be read, so nobody knows how the "
                f"release does: {error}"
            )

    def _read(self, manifest: Manifest) -> Figures:
        """Read a release's figures; ReleaseError when that cannot be."""
        text = self.proxy.text("/metrics")
        try:
            return read_metrics(text, f"{project_name(manifest.stack, manifest.id)}-")
        except (KeyError, ValueError) as error:
            raise ReleaseError(f"Traefik's metrics are not as they should be ({error}).") from error


def ailing(state: dict[str, Any], before: dict[str, Any]) -> str:
    """Say what is wrong with a container that ran, or nothing; `before` is how it was, if known."""
    restarts = state["RestartCount"] - before.get("RestartCount", 0)
    if state["State"]["OOMKilled"] and not before.get("State", {}).get("OOMKilled"):
        return "ran out of memory (raise `memory` in stack_services or stack_sizes)"
    if restarts > 0:
        return f"ended and was restarted (RestartCount {restarts})"
    if not state["State"]["Running"]:
        return f"ended with code {state['State']['ExitCode']}"
    if (state["State"].get("Health") or {}).get("Status") == "unhealthy":
        return "fails its own health check"
    return ""
