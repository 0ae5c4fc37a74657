"""The smoke test asks each path of what was deployed, and stands aside for a newer release."""

from __future__ import annotations

import pytest
from pipeline import smoke
from pipeline.shell import PipelineError
from pipeline.smoke import Answer, NewerReleaseError, Site

OLDER, OURS, NEWER = "20261122-101500-aaaaaaaa", "20261122-101501-aaaaaaaa", "20261122-101502-a"
WHERE = Site("shop.example.com", "shop.example.com")
EXPECTED = {"/": 200, "/api": 401}


def test_a_release_that_answers_as_it_should_passes() -> None:
    asked = []

    def ask(_: Site, path: str) -> Answer:
        asked.append(path)
        return Answer(EXPECTED[path], OURS)

    smoke.smoke(EXPECTED, WHERE, OURS, ask)
    assert asked == ["/", "/api"]


def test_all_that_is_wrong_is_named() -> None:
    def ask(_: Site, path: str) -> Answer:
        if path == "/":
            raise OSError("connection refused")
        return Answer(500, OURS)

    with pytest.raises(PipelineError) as caught:
        smoke.smoke(EXPECTED, WHERE, OURS, ask)
    assert str(caught.value).splitlines() == [
        "https://shop.example.com does not pass its smoke test:",
        "  - / does not answer: connection refused",
        "  - /api answered 500 instead of 401",
    ]


def test_an_answer_of_an_older_release_is_wrong() -> None:
    with pytest.raises(PipelineError, match=f"/ was answered by {OLDER}"):
        smoke.smoke({"/": 200}, WHERE, OURS, lambda *_: Answer(200, OLDER))


def test_a_newer_release_is_proved_by_its_own_run() -> None:
    with pytest.raises(NewerReleaseError):
        smoke.smoke({"/": 200}, WHERE, OURS, lambda *_: Answer(500, NEWER))


def test_another_address_may_stand_for_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert smoke.site("shop.example.com") == WHERE
    monkeypatch.setenv("SMOKE_ADDRESS", "127.0.0.1:8443")
    monkeypatch.setenv("SMOKE_LOGIN", "ada:secret")
    assert smoke.site("shop.example.com") == Site(
        "shop.example.com", "127.0.0.1", 8443, "ada:secret"
    )


def test_a_line_that_is_cut_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def flaky(_: Site, path: str) -> Answer:
        tries.append(path)
        if len(tries) < smoke.TRIES:
            raise ConnectionResetError
        return Answer(200, OURS)

    monkeypatch.setattr(smoke, "over_tls", flaky)
    monkeypatch.setattr(smoke, "PAUSE_SECONDS", 0)
    assert smoke.patiently(WHERE, "/").status == 200
    tries[:] = []
    monkeypatch.setattr(smoke, "TRIES", 1)
    monkeypatch.setattr(smoke, "over_tls", lambda *_: (_ for _ in ()).throw(OSError("cut")))
    with pytest.raises(OSError, match="cut"):
        smoke.patiently(WHERE, "/")
