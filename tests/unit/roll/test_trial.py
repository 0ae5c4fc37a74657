"""Trying a release: in private, under visitors, and what the prober may lose."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import trial as trial_module
from ansible_collections.slipway.stack.plugins.module_utils.probe import (
    Answer,
    Entrance,
    ProbeFigures,
    Question,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.soak import Thresholds
from ansible_collections.slipway.stack.plugins.module_utils.trial import (
    BASELINE_SECONDS,
    PROBE_LIMIT_SECONDS,
    WARM_UP,
    Trial,
    bad,
    questions,
)

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import POLICY, Stage

ENTRANCE = Entrance(address="127.0.0.1", port=443, host="shop.example.com", token="t" * 32)
GOOD = Answer(status=200, release=NEW, seconds=0.01)


class FakeProber:
    """Counts what a test says, and notes what it is told."""

    def __init__(self, entrance: Entrance, asked: list[Question], **how: Any) -> None:
        self.entrance, self.questions, self.rate = entrance, asked, how["rate"]
        self.told: list[Any] = []
        self.counted = ProbeFigures(asked=100)

    def baseline(self, seconds: float) -> None:
        self.told.append(("baseline", seconds))

    def begin(self, limit_seconds: float) -> None:
        self.told.append(("begin", limit_seconds))

    def turn_to(self, questions: list[Question]) -> None:
        self.questions = questions

    def expect(self, release_id: str | None) -> None:
        self.told.append(("expect", release_id))

    def end(self) -> None:
        self.told.append("end")

    def figures(self) -> ProbeFigures:
        return self.counted


class FakeWatch:
    """Gives the verdicts that a test says, one after the other, then none."""

    def __init__(self, manifest: Manifest, *parts: Any) -> None:
        self.manifest = manifest
        self.thresholds: Thresholds = parts[3]
        self.measured: list[str] = []
        self.verdicts: list[str] = []

    def baseline(self, old: Manifest) -> None:
        self.measured.append(old.id)

    def verdict(self) -> str:
        return self.verdicts.pop(0) if self.verdicts else ""


class Tried:
    """A trial whose prober, watch and private answers are a test's own."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(trial_module, "Prober", FakeProber)
        patch.setattr(trial_module, "Watch", FakeWatch)
        patch.setattr(trial_module, "ask", self.ask)
        self.trial = Trial(stage.engine, stage.proxy, ENTRANCE, POLICY, stage.time.clock())
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.looked = 0

    def ask(self, entrance: Entrance, path: str, *, headers: dict[str, str]) -> Answer:
        assert entrance == ENTRANCE
        self.asked.append((path, headers))
        return self.answers.get(path, GOOD)

    def also(self) -> None:
        self.looked += 1

    @property
    def prober(self) -> Any:
        return self.trial.prober

    @property
    def watching(self) -> Any:
        return self.trial.watching


@pytest.fixture
def tried(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Tried:
    return Tried(stage, monkeypatch)


# the prober -------------------------------------------------------------------------------------


def test_the_prober_takes_its_baseline_first_and_ends_with_the_block(
    tried: Tried, stage: Stage
) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.trial.expect(stage.new)
    assert tried.prober.told == [
        ("baseline", BASELINE_SECONDS),
        ("begin", PROBE_LIMIT_SECONDS),
        ("expect", NEW),
        "end",
    ]
    assert tried.prober.rate == POLICY.probe_rate
    assert tried.watching.measured == [OLD]


def test_the_prober_ends_when_the_roll_fails(tried: Tried, stage: Stage) -> None:
    with pytest.raises(ReleaseError), tried.trial.probing(stage.new, stage.old):
        raise ReleaseError
    assert tried.prober.told[-1] == "end"


def test_where_nothing_serves_nothing_is_asked(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, None):
        tried.trial.compare(None)
        tried.trial.expect(None)
    assert tried.prober.told == [("expect", None), "end"]
    assert tried.watching.measured == []


def test_the_old_release_is_measured_again_before_the_switch(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.trial.compare(stage.old)
    assert tried.watching.measured == [OLD, OLD]


def test_the_new_release_is_watched_by_the_stacks_thresholds(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, stage.old):
        assert tried.watching.manifest == stage.new
        assert tried.watching.thresholds == Thresholds(max_error_percent=2, max_p95=2.0, max_lost=0)


def test_each_routed_service_is_asked_by_its_own_path_and_host(stage: Stage) -> None:
    stage.new.services["frontend"]["domain"] = "www.shop.example.com"
    assert questions(stage.new) == [
        Question("backend", "/api", "shop.example.com"),
        Question("frontend", "/", "www.shop.example.com"),
    ]


def test_a_name_that_is_dropped_is_asked_no_more_and_a_new_one_once_it_is_served(
    tried: Tried, stage: Stage
) -> None:
    stage.old.services["frontend"]["domain"] = "www.shop.example.com"
    stage.new.services["frontend"]["domain"] = "new.shop.example.com"
    with tried.trial.probing(stage.new, stage.old):
        assert tried.prober.questions == questions(stage.old)
        tried.trial.narrow(stage.new)
        assert tried.prober.questions == [Question("backend", "/api", "shop.example.com")]
        tried.trial.expect(stage.new)
        assert tried.prober.questions == questions(stage.new)


# smoke ------------------------------------------------------------------------------------------


def test_the_release_is_asked_by_its_private_way_until_each_replica_is_warm(
    tried: Tried, stage: Stage
) -> None:
    tried.trial.smoke(stage.new)
    paths = [path for path, _ in tried.asked]
    assert paths == ["/api"] * 2 * WARM_UP + ["/"] * WARM_UP
    assert all(
        headers == {"Host": "shop.example.com", "X-Slipway-Release": NEW}
        for _, headers in tried.asked
    )


def test_a_release_that_does_not_answer_in_private_is_told_with_its_last_lines(
    tried: Tried, stage: Stage
) -> None:
    tried.answers["/api"] = Answer(status=500, release=NEW, seconds=0.1)
    with pytest.raises(ReleaseError) as caught:
        tried.trial.smoke(stage.new)
    message = str(caught.value)
    assert "/api (stack_services.backend.probe) answered 500. No visitor has met it." in message
    assert f"Last lines of shop-{NEW}-backend-2:\nthe last line" in message
    assert f"Last lines of shop-{NEW}-frontend-1:" in message


def test_one_bad_answer_among_many_fails_the_release(
    tried: Tried, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [GOOD] * (WARM_UP - 1) + [Answer(502, NEW, 0.1)] + [GOOD] * 100
    monkeypatch.setattr(trial_module, "ask", lambda *_, **__: answers.pop(0))
    with pytest.raises(ReleaseError, match="answered 502"):
        tried.trial.smoke(stage.new)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (GOOD, ""),
        (Answer(301, NEW, 0.1), ""),
        (Answer(403, NEW, 0.1), ""),
        (Answer(500, NEW, 0.1), "answered 500"),
        (Answer(200, OLD, 0.1), f"was answered 200 by {OLD}"),
        (Answer(404, "", 0.1), "was answered 404 by Traefik itself"),
        (Answer(0, "", 15.0, "no answer within 15 s"), "gave no answer: no answer within 15 s"),
        (Answer(200, NEW, 1.0, "a cut answer"), "gave no answer: a cut answer"),
    ],
)
def test_an_answer_is_bad_when_it_is_not_the_releases_own_or_an_error(
    answer: Answer, verdict: str
) -> None:
    assert bad(answer, NEW) == verdict


# watch ------------------------------------------------------------------------------------------


def test_a_good_release_is_watched_to_the_end_and_once_more(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.trial.watch(2.5, also=tried.also)
    assert stage.time.seconds == pytest.approx(2.5)
    assert tried.looked == 4


def test_without_a_soak_there_is_one_verdict(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.watching.verdicts = ["it restarted"]
        with pytest.raises(ReleaseError, match="it restarted"):
            tried.trial.watch(0, also=tried.also)


def test_a_release_that_turns_bad_ends_the_watch_at_once_with_its_last_lines(
    tried: Tried, stage: Stage
) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.watching.verdicts = ["", "", "12 % errors"]
        with pytest.raises(ReleaseError, match="12 % errors") as caught:
            tried.trial.watch(30, also=tried.also)
    assert stage.time.seconds == pytest.approx(2)
    assert f"Last lines of shop-{NEW}-backend-1:\nthe last line" in str(caught.value)


def test_what_goes_on_beside_the_watch_may_end_it(tried: Tried, stage: Stage) -> None:
    def failed() -> None:
        raise ReleaseError("the handover failed")

    with (
        tried.trial.probing(stage.new, stage.old),
        pytest.raises(ReleaseError, match="the handover failed"),
    ):
        tried.trial.watch(30, also=failed)
    assert stage.time.seconds == 0


# what it cost -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "may"), [(0, 0), (2, 2), (1, 5)])
def test_a_release_may_cost_what_the_stack_allows(
    tried: Tried, stage: Stage, lost: int, may: int
) -> None:
    tried.trial.policy = stage.job(probe_max_lost=may).policy
    with tried.trial.probing(stage.new, stage.old):
        tried.prober.counted = ProbeFigures(asked=100, lost=lost, losses=["/api: silent"] * lost)
        tried.trial.judge_probe()
        assert tried.trial.lost_after_all() == []


def test_a_release_that_cost_more_is_refused_with_what_was_lost(tried: Tried, stage: Stage) -> None:
    with tried.trial.probing(stage.new, stage.old):
        tried.prober.counted = ProbeFigures(asked=100, lost=2, losses=["/api: cut", "/: 502"])
        with pytest.raises(ReleaseError) as caught:
            tried.trial.judge_probe()
        assert tried.trial.lost_after_all() == ["/api: cut", "/: 502"]
    told = "The prober lost 2 of 100 requests (stack_probe_max_lost: 0): /api: cut; /: 502"
    assert told in str(caught.value)
