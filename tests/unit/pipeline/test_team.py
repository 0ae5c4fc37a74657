"""Who is told what, when: by the run's own stages, and by what GitHub says of the run before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline import __main__ as pipeline
from pipeline import team
from pipeline.github import Run, this_run

from tests.unit.pipeline.receiver import Receiver

RUN = {
    "GITHUB_REPOSITORY": "org/app",
    "GITHUB_SHA": "0123456789abcdef",
    "GITHUB_REF_NAME": "main",
    "GITHUB_ACTOR": "ada",
    "GITHUB_RUN_NUMBER": "42",
    "GITHUB_RUN_ID": "900",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SERVER_URL": "https://github.example.com",
    "GITHUB_WORKFLOW_REF": "org/app/.github/workflows/deploy.yml@refs/heads/main",
}
RUNS = "/repos/org/app/actions/workflows/deploy.yml/runs?branch=main&status=completed&per_page=20"
JOBS = "/repos/org/app/actions/runs/900/jobs?filter=latest&per_page=100"
WELL = {"test": "success", "build": "success", "production": "success"}
BROKEN = {"test": "success", "build": "failure", "production": "skipped"}


def silent(_: str) -> Any:
    raise OSError("no route")


def earlier(*runs: tuple[int, str]) -> dict[str, Any]:
    return {"workflow_runs": [{"run_number": one, "conclusion": how} for one, how in runs]}


def after(*runs: tuple[int, str], needs: dict[str, str] = WELL) -> str:
    found = team.notice(this_run(RUN), needs, {RUNS: earlier(*runs), JOBS: {}}.__getitem__)
    return found.status if found else ""


def test_the_stage_that_failed_is_told_with_where_to_look() -> None:
    jobs = {
        "jobs": [
            {"name": "plan", "conclusion": "success"},
            {
                "name": "pipeline / build",
                "conclusion": "failure",
                "html_url": "https://github.example.com/job/1",
                "steps": [{"name": "Push", "conclusion": "failure"}],
            },
        ]
    }
    found = team.notice(this_run(RUN), BROKEN, {JOBS: jobs}.__getitem__)
    assert found
    assert found.title == "org/app: the pipeline failed in 'build'"
    assert found.details == (
        "The stage 'build' failed (run 42, 01234567 by ada).",
        "pipeline / build, step 'Push': https://github.example.com/job/1",
    )
    assert found.link == "https://github.example.com/org/app/actions/runs/900"
    assert found.facts["stage"] == "build"


def test_a_failure_is_told_also_when_github_does_not_answer() -> None:
    found = team.notice(this_run(RUN), BROKEN, silent)
    assert found
    assert found.status == "failed"


def test_a_stage_that_took_too_long_has_failed() -> None:
    assert after(needs={**WELL, "production": "cancelled"}) == "failed"


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([(41, "success")], ""),
        ([(41, "failure")], "recovered"),
        ([(41, "cancelled"), (40, "failure")], "recovered"),
        ([(40, "failure"), (41, "success")], ""),
        ([(43, "failure"), (41, "success")], ""),
        ([], ""),
    ],
)
def test_recovery_is_told_by_the_run_before(runs: list[tuple[int, str]], told: str) -> None:
    assert after(*runs) == told


def test_a_run_that_is_tried_again_recovers_from_its_own_failure() -> None:
    run = this_run(RUN | {"GITHUB_RUN_ATTEMPT": "2"})
    pages = {"/repos/org/app/actions/runs/900/attempts/1": {"conclusion": "failure"}}
    found = team.notice(run, WELL, pages.__getitem__)
    assert found
    assert found.status == "recovered"


def test_nothing_is_told_of_a_run_that_nobody_knows_anything_of() -> None:
    assert team.notice(Run(), WELL, silent) is None


def test_the_team_is_told_over_http(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.pages[RUNS] = (200, {}, earlier((41, "failure")))
    for name, value in RUN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_API_URL", receiver.url)
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    monkeypatch.setenv("NOTIFY_SLACK_URL", f"{receiver.url}/secret")
    monkeypatch.setenv("NEEDS", json.dumps({name: {"result": how} for name, how in WELL.items()}))
    assert pipeline.main(["notify"]) == 0
    ((path, body),) = receiver.posted
    assert path == "/secret"
    assert "🟢 *org/app: the pipeline is well again*" in body["text"]
    assert receiver.asked[0][1]["Authorization"] == "Bearer token"
    assert "secret" not in capsys.readouterr().out


def test_a_notice_that_is_lost_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", "http://127.0.0.1:9/secret")
    monkeypatch.setenv("NEEDS", json.dumps({"test": {"result": "failure"}}))
    assert pipeline.main(["notify"]) == 0
    assert "Warning: the webhook was not told: it does not answer" in capsys.readouterr().out
