"""Following the process on the host: what one look at it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import unit
from ansible_collections.slipway.stack.plugins.module_utils.follow import PATIENCE_SECONDS, news
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory, new_job

from tests.unit.release.fakes import STACK, FakeTime
from tests.unit.roll.stage import Stage


class Followed:
    """A job on the host that does something `at` given seconds, and lives until it dies."""

    def __init__(self, place: JobDirectory) -> None:
        self.place = place
        self.time = FakeTime()
        self.time.on_pause = self.go_on
        self.alive = True
        self.at: list[tuple[float, Callable[[], None]]] = []

    def go_on(self, now: float) -> None:
        for when, what in [one for one in self.at if one[0] <= now]:
            self.at.remove((when, what))
            what()

    def says(self, phase: str) -> Callable[[], None]:
        return lambda: self.place.say(phase, "begin")

    def ends(self) -> None:
        self.place.say("prune", "end")
        self.place.finish({"ok": True})
        self.alive = False

    def dies(self) -> None:
        self.alive = False

    def look(self, after: int = 0) -> dict[str, Any]:
        return news(self.place, STACK, after, self.time.clock())

    def news(self, after: int = 0) -> list[str]:
        found = self.look(after)
        assert not found["died"]
        return [line["phase"] for line in found["progress"]]


@pytest.fixture
def followed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Followed:
    found = Followed(new_job(stage.job()))
    monkeypatch.setattr(unit, "alive", lambda *_: found.alive)
    return found


def test_the_first_line_is_waited_for(followed: Followed) -> None:
    followed.at = [(5, followed.says("pull"))]
    assert followed.news() == ["pull"]
    assert followed.time.seconds == pytest.approx(5, abs=0.1)


def test_lines_that_come_close_together_travel_together(followed: Followed) -> None:
    followed.at = [(0.1, followed.says("pull")), (0.9, followed.says("migrate"))]
    assert followed.news() == ["pull", "migrate"]
    assert followed.time.seconds == pytest.approx(1.5, abs=0.1)


def test_only_what_is_not_known_yet_is_told(followed: Followed) -> None:
    followed.at = [(0, followed.says("pull")), (3, followed.says("migrate"))]
    followed.go_on(0)
    assert followed.news(after=1) == ["migrate"]


def test_the_end_is_told_at_once(followed: Followed) -> None:
    followed.at = [(0.3, followed.ends)]
    assert followed.news() == ["prune"]
    assert followed.time.seconds == pytest.approx(0.3, abs=0.1)


def test_patience_ends_without_news(followed: Followed) -> None:
    assert followed.news() == []
    assert followed.time.seconds == pytest.approx(PATIENCE_SECONDS, abs=0.2)


def test_a_job_that_ended_while_nobody_followed_has_its_result(followed: Followed) -> None:
    followed.ends()
    assert followed.news() == ["prune"]
    assert followed.time.seconds == 0


def test_a_process_that_died_is_told_with_what_to_do(followed: Followed) -> None:
    followed.at = [(2, followed.dies)]
    message = followed.look()["died"]
    assert "ended before its time" in message
    assert "What served then serves on. Run the same command again" in message
    assert f"journalctl --unit slipway-roll-{STACK}-{followed.place.path.name}.service" in message
    assert followed.time.seconds == pytest.approx(2, abs=1.1)


def test_a_process_that_ends_between_two_looks_is_not_taken_for_dead(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alive(*_: object) -> bool:
        followed.ends()
        return False

    monkeypatch.setattr(unit, "alive", alive)
    assert followed.news() == ["prune"]
