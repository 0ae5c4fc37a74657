"""A job as the controller and the process on the host see it."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.job import (
    Job,
    JobDirectory,
    job_named,
    new_job,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

from tests.unit.roll.stage import Stage


@pytest.fixture
def place(stage: Stage) -> JobDirectory:
    return new_job(stage.job())


def test_a_job_arrives_as_it_was_sent(stage: Stage, place: JobDirectory) -> None:
    assert place.job() == stage.job()
    assert place.job().directory == stage.directory


def test_a_job_that_went_through_ansible_is_the_same(stage: Stage) -> None:
    job = stage.job(canary=[5, 25], ignore_freeze=True)
    assert Job.from_mapping(json.loads(json.dumps(asdict(job)))) == job


def test_a_job_is_for_root_and_its_group_alone(place: JobDirectory) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o750
    assert stat.S_IMODE((place.path / "job.json").stat().st_mode) == 0o640


def test_a_job_is_found_by_its_id(stage: Stage, place: JobDirectory) -> None:
    assert job_named(stage.directory, place.path.name) == place


def test_a_job_that_is_not_there_is_told_with_its_path(stage: Stage) -> None:
    with pytest.raises(ReleaseError, match=r"no job 20260101-000000-aaaa .*/jobs/20260101-"):
        job_named(stage.directory, "20260101-000000-aaaa")


# progress ---------------------------------------------------------------------------------------


def test_a_job_that_has_not_begun_has_no_progress_and_no_result(place: JobDirectory) -> None:
    assert place.progress() == []
    assert place.result() is None


def test_progress_is_read_from_where_one_was(place: JobDirectory) -> None:
    place.say("pull", "begin")
    place.say("pull", "end", seconds=1.5)
    place.say("lock", "note", "waits\nfor → ada")
    first, second, third = place.progress()
    assert (first["phase"], first["event"], first["text"]) == ("pull", "begin", "")
    assert "seconds" not in first
    assert second["seconds"] == 1.5
    assert third["text"] == "waits\nfor → ada"
    assert place.progress(after=2) == [third]
    assert place.progress(after=3) == []


def test_a_line_that_is_being_written_is_left_for_the_next_time(place: JobDirectory) -> None:
    place.say("pull", "begin")
    path = place.path / "progress.jsonl"
    whole = path.read_text()
    path.write_text(whole + whole[:20])
    assert len(place.progress()) == 1
    assert place.progress(after=1) == []
    path.write_text(whole + whole)
    assert len(place.progress(after=1)) == 1


def test_the_result_is_there_whole_or_not_at_all(place: JobDirectory) -> None:
    place.finish({"ok": False, "message": "no"})
    assert place.result() == {"ok": False, "message": "no"}
    left = {path.name for path in place.path.iterdir()}
    assert left == {"job.json", "result.json"}


def test_two_jobs_of_one_second_do_not_meet(stage: Stage) -> None:
    places = {new_job(stage.job()).path for _ in range(5)}
    assert len(places) == 5
