"""The judgement over a release, on a site that is made of a few numbers and a clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.losses import ProbeFigures
from ansible_collections.slipway.stack.plugins.module_utils.probe import Question, Sample
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.soak import Thresholds, Watch

from tests.unit.release.fakes import NEW, OLD, STACK, FakeEngine, FakeTime, manifest

BUCKETS = (0.1, 0.5, 1, 2.5, 5, 10, math.inf)
# Times of verdicts are a second apart, so that a release turns bad a bit before one or after one.
TURNS = 10.4


@dataclass
class Service:
    """What Traefik has counted of one service of one release."""

    codes: dict[str, float] = field(default_factory=dict)
    buckets: dict[float, float] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0.0))
    servers: dict[str, int] = field(default_factory=dict)

    def serve(self, requests: float, *, errors: float = 0, seconds: float = 0.05) -> None:
        self.codes["200"] = self.codes.get("200", 0) + requests - errors
        self.codes["502"] = self.codes.get("502", 0) + errors
        for bound in BUCKETS:
            self.buckets[bound] += requests * (seconds <= bound)

    def text(self, name: str) -> str:
        labels = f'method="GET",protocol="http",service="{name}@file"'
        return "".join(
            [
                f'traefik_service_requests_total{{code="{code}",{labels}}} {int(count)}\n'
                for code, count in self.codes.items()
            ]
            + [
                f'traefik_service_request_duration_seconds_bucket{{code="200",{labels},'
                f'le="{str(bound).replace("inf", "+Inf")}"}} {int(count)}\n'
                for bound, count in self.buckets.items()
            ]
            + [
                f'traefik_service_server_up{{service="{name}@file",url="{url}"}} {up}\n'
                for url, up in self.servers.items()
            ]
        )


class Metrics:
    """Traefik's API, as far as metrics go; it fails as long as `error` says so."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.error = ""
        self.garbage = ""

    def of(self, service: str, release: str = NEW) -> Service:
        return self.services.setdefault(f"{STACK}-{release}-{service}", Service())

    def text(self, path: str) -> str:
        assert path == "/metrics"
        if self.error:
            raise ReleaseError(self.error)
        return self.garbage + "".join(one.text(name) for name, one in self.services.items())


class Probes:
    """A prober that saw what the test says."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.lost = 0
        self.now: Callable[[], float] = float

    def figures(self) -> ProbeFigures:
        asked = max(len(self.samples), self.lost)
        return ProbeFigures(asked, self.lost, 0, [f"loss {n}" for n in range(min(self.lost, 5))])

    def recent(self, seconds: float) -> list[Sample]:
        now = self.now()
        return [
            one if one.answered else replace(one, seconds=now - one.begun)
            for one in self.samples
            if 0 <= now - one.begun <= seconds
        ]

    def see(self, at: float, **changes: Any) -> None:
        values: dict[str, Any] = {
            "question": Question("backend", "/api"),
            "begun": at,
            "seconds": 0.05,
            "release": NEW,
            "fault": "",
            "answered": True,
            "usual": 0.05,
        }
        self.samples.append(Sample(**(values | changes)))


class Scene:
    """A site with its watch. The old release has served, the new one is about to."""

    def __init__(self, *, old: bool = True, **thresholds: Any) -> None:
        self.time = FakeTime()
        self.metrics, self.probes, self.engine = Metrics(), Probes(), FakeEngine()
        self.probes.now = lambda: self.time.seconds
        limits: dict[str, Any] = {"max_error_percent": 2, "max_p95": 2.0, "max_lost": 0}
        self.watch = Watch(
            manifest(),
            self.engine,
            self.metrics,  # type: ignore[arg-type]
            self.probes,  # type: ignore[arg-type]
            Thresholds(**(limits | thresholds)),
            self.time.clock(),
        )
        if old:
            self.metrics.of("backend", OLD).serve(1000)
            self.metrics.of("frontend", OLD).serve(1000)

    def begin(self) -> None:
        self.watch.baseline(manifest(OLD))
        self.engine.add_release(manifest())

    def run(self, period: float, /, **traffic: Any) -> str:
        """Let time pass a verdict at a time; return the first bad one."""
        step, end = 0.1, self.time.seconds + period
        while self.time.seconds < end - step / 2:
            self.time.seconds = round(self.time.seconds + step, 3)
            self.serve(step, **traffic)
            if self.time.seconds % 1 < step / 2 and (reason := self.watch.verdict()):
                return reason
        return ""

    def serve(
        self, step: float, *, rate: float = 10, bad: float = 0, seconds: float = 0.05
    ) -> None:
        self.metrics.of("frontend").serve(rate * step)
        self.metrics.of("backend").serve(rate * step, errors=rate * step * bad, seconds=seconds)


@pytest.fixture
def scene() -> Scene:
    one = Scene()
    one.begin()
    return one


def container(scene: Scene, service: str = "backend-1") -> dict[str, Any]:
    return scene.engine.there[f"{STACK}-{NEW}-{service}"]


# figures of Traefik -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 10, 300])
def test_a_good_release_stays(scene: Scene, rate: float) -> None:
    assert scene.run(60, rate=rate) == ""


@pytest.mark.parametrize(
    ("rate", "bad"), [(10, 0.2), (10, 1.0), (300, 0.05), (300, 0.2), (300, 1.0)]
)
@pytest.mark.parametrize("good", [0, 1, TURNS, 29.7])
def test_errors_are_found_within_five_seconds(
    scene: Scene, rate: float, bad: float, good: float
) -> None:
    assert scene.run(good, rate=rate) == ""
    reason = scene.run(5, rate=rate, bad=bad)
    assert reason.startswith("backend answered ")
    assert "stack_soak_max_error_percent (2)" in reason


@pytest.mark.parametrize("rate", [10, 300])
@pytest.mark.parametrize("good", [0, TURNS])
def test_slowness_is_found_within_five_seconds(scene: Scene, rate: float, good: float) -> None:
    assert scene.run(good, rate=rate) == ""
    assert scene.run(3, rate=0) == "", "slow answers take so long to come"
    reason = scene.run(2, rate=rate, seconds=3)
    assert reason.startswith("backend took 2.5 s or longer to answer more than 5 % of the ")
    assert "stack_soak_max_p95 (2)" in reason


def test_a_few_errors_now_and_then_add_up(scene: Scene) -> None:
    reason = scene.run(60, rate=2, bad=0.05)
    assert "requests of all its time with 5xx (5" in reason


def test_one_error_in_a_thousand_is_a_hiccup(scene: Scene) -> None:
    scene.run(TURNS, rate=100)
    scene.metrics.of("backend").serve(1, errors=1)
    assert scene.run(30, rate=100) == ""


def test_a_few_errors_alone_are_none(scene: Scene) -> None:
    scene.metrics.of("backend").serve(4, errors=4)
    assert scene.run(10, rate=0) == ""


def test_what_the_old_release_did_is_not_held_against_the_new() -> None:
    scene = Scene()
    scene.metrics.of("backend", OLD).serve(500, errors=150, seconds=4)  # 10 %; a third is slow
    scene.begin()
    assert scene.run(30, bad=0.11, seconds=4) == ""
    assert "the release before 10.0 %" in scene.run(10, bad=0.5)


def test_what_the_old_release_did_of_late_counts_too() -> None:
    scene = Scene()
    scene.watch.baseline(manifest(OLD))
    scene.metrics.of("backend", OLD).serve(100, errors=50)
    scene.begin()
    assert scene.run(30, bad=0.5) == ""


def test_a_service_that_nobody_knew_is_judged_by_its_errors_not_by_its_time() -> None:
    scene = Scene(old=False)
    scene.begin()
    assert scene.run(30, seconds=4) == ""
    assert "the release before 0.0 %" in scene.run(5, bad=1)


def test_what_a_release_did_in_an_earlier_life_is_past() -> None:
    scene = Scene()
    scene.metrics.of("backend").serve(1000, errors=1000, seconds=9)
    scene.begin()
    assert scene.run(30) == ""


def test_a_baseline_that_could_not_be_read_begins_with_the_first_verdict() -> None:
    scene = Scene()
    scene.metrics.error = "Traefik's API does not answer."
    scene.metrics.of("backend").serve(1000, errors=1000)
    scene.begin()
    scene.metrics.error = ""
    assert scene.run(10) == ""
    assert "backend answered" in scene.run(5, bad=1)


def test_traefik_starting_anew_is_no_error(scene: Scene) -> None:
    scene.run(TURNS)
    scene.metrics.services.clear()
    assert scene.run(20) == ""


def test_a_service_whose_replicas_are_all_unwell_has_a_little_time_too(scene: Scene) -> None:
    scene.metrics.of("backend").servers.update({"http://a": 1, "http://b": 1})
    assert scene.run(TURNS) == ""
    scene.metrics.of("backend").servers.update({"http://a": 0, "http://b": 0})
    assert scene.run(4) == ""
    reason = scene.run(3)
    assert reason.startswith("backend: 2 of 2 replicas fail Traefik's health check (http://a, ")
    assert "stack_services.backend.health" in reason


def test_one_sick_replica_has_a_little_time(scene: Scene) -> None:
    servers = scene.metrics.of("backend").servers
    servers.update({"http://a": 0, "http://b": 1})
    assert scene.run(4) == ""
    servers["http://a"] = 1
    assert scene.run(4) == ""
    servers["http://a"] = 0
    assert scene.run(4) == ""
    assert "1 of 2 replicas" in scene.run(3)


def test_traefik_may_be_out_of_reach_for_a_while(scene: Scene) -> None:
    scene.run(3)
    scene.metrics.error = "Traefik's API does not answer."
    assert scene.run(9) == ""
    scene.metrics.error = ""
    assert scene.run(3) == ""
    scene.metrics.error = "Traefik's API does not answer."
    reason = scene.run(12)
    assert reason.startswith("For 10 seconds Traefik's metrics could not be read")
    assert reason.endswith("Traefik's API does not answer.")


def test_metrics_that_make_no_sense_are_none(scene: Scene) -> None:
    scene.metrics.garbage = (
        f'traefik_service_requests_total{{service="{STACK}-{NEW}-backend@file"}} 1\n'
    )
    assert scene.run(9) == ""
    assert "not as they should be" in scene.run(3)


# containers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"RestartCount": 1}, "ended and was restarted (RestartCount 1)"),
        ({"State": {"Running": False, "ExitCode": 3}}, "ended with code 3"),
        ({"State": {"OOMKilled": True}}, "ran out of memory (raise `memory`"),
        ({"State": {"Health": {"Status": "unhealthy"}}}, "fails its own health check"),
    ],
)
@pytest.mark.parametrize("name", ["backend-2", "worker-1"])
def test_a_container_that_ails(
    scene: Scene, change: dict[str, Any], reason: str, name: str
) -> None:
    assert scene.run(3) == ""
    state = container(scene, name)
    state.update({key: value for key, value in change.items() if key != "State"})
    state["State"].update(change.get("State", {}))
    assert scene.run(1).startswith(f"{STACK}-{NEW}-{name} {reason}")


def test_what_befell_a_container_before_is_past() -> None:
    scene = Scene()
    scene.engine.new_state = {"RestartCount": 2, "OOMKilled": True}
    scene.engine.add_release(manifest())
    scene.engine.new_state = {}
    scene.watch.baseline(manifest(OLD))
    assert scene.run(5) == ""
    container(scene)["RestartCount"] = 3
    assert "restarted (RestartCount 1)" in scene.run(1)


def test_a_new_container_of_an_old_name_begins_anew() -> None:
    scene = Scene()
    scene.engine.add_release(manifest())
    container(scene)["RestartCount"] = 2
    scene.watch.baseline(manifest(OLD))
    container(scene).update({"RestartCount": 1, "Id": "another"})
    assert "RestartCount 1" in scene.run(1)


def test_a_worker_may_start_later_but_not_crash(scene: Scene) -> None:
    worker = scene.engine.there.pop(f"{STACK}-{NEW}-worker-1")
    assert scene.run(10) == ""
    scene.engine.there[f"{STACK}-{NEW}-worker-1"] = worker
    worker["State"]["Running"] = False
    assert scene.run(3) == "", "it is created, not started"
    worker["RestartCount"] = 1
    assert "worker-1 ended and was restarted" in scene.run(1)


def test_a_container_that_vanishes(scene: Scene) -> None:
    assert scene.run(3) == ""
    scene.engine.there.pop(f"{STACK}-{NEW}-worker-1")
    assert scene.run(4) == ""
    assert scene.run(3) == f"{STACK}-{NEW}-worker-1 is gone: somebody removed it."


def test_the_engine_may_be_restarted(scene: Scene) -> None:
    assert scene.run(3) == ""
    scene.engine.failing["inspect"] = "Cannot connect to the Docker daemon"
    assert scene.run(9) == ""
    scene.engine.failing.clear()
    assert scene.run(5) == ""
    scene.engine.failing["inspect"] = "Cannot connect to the Docker daemon"
    assert "the release's containers could not be read" in scene.run(12)


# the prober ---------------------------------------------------------------------------------------


def test_a_lost_probe_fails_the_release(scene: Scene) -> None:
    scene.probes.lost = 1
    assert scene.run(1) == (
        "The prober lost 1 of 1 requests, more than stack_probe_max_lost (0) allows: loss 0."
    )


def test_as_many_as_may_be_lost_do_not() -> None:
    scene = Scene(max_lost=3)
    scene.begin()
    scene.probes.lost = 3
    assert scene.run(10) == ""
    scene.probes.lost = 4
    assert "stack_probe_max_lost (3)" in scene.run(1)


def test_errors_to_the_prober_tell_on_a_quiet_site() -> None:
    scene = Scene(max_lost=1000)
    scene.begin()
    assert scene.run(1, rate=0) == ""
    for number in range(3):
        scene.probes.see(1.1 + number / 10, fault="answered 500" if number < 2 else "")
    assert scene.run(1, rate=0) == ""
    scene.probes.see(2.1, fault="answered 500")
    reason = scene.run(1, rate=0)
    assert reason.startswith("3 of the prober's last 4 requests failed (75.0 %)")
    assert "/api of backend: answered 500" in reason


def test_what_hangs_is_found_before_it_is_lost(scene: Scene) -> None:
    """No answer comes at all, so that Traefik counts nothing: only the prober knows."""
    for number in range(50):
        scene.probes.see(1 + number / 10)
    for number in range(50):  # from the sixth second on
        scene.probes.see(6 + number / 10, release="", answered=False)
    assert scene.run(6, rate=0) == ""
    reason = scene.run(5, rate=0)
    assert "took or have waited longer than stack_soak_max_p95 (2 s)" in reason
    assert "/api of backend" in reason


@pytest.mark.parametrize("changes", [{"usual": 3.0}, {"usual": None}, {"release": OLD}])
def test_what_was_slow_or_unknown_or_the_old_one_is_not_judged(
    scene: Scene, changes: dict[str, Any]
) -> None:
    scene.run(1, rate=0)
    for number in range(40):
        scene.probes.see(1 + number / 10, seconds=3, **changes)
    assert scene.run(5, rate=0) == ""


def test_one_slow_answer_to_the_prober_is_chance(scene: Scene) -> None:
    scene.run(1, rate=0)
    for number in range(40):
        scene.probes.see(1 + number / 10, seconds=9 if number == 20 else 0.05)
    assert scene.run(5, rate=0) == ""
