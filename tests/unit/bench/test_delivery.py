"""What act is told, and how its words are read."""

from __future__ import annotations

import pytest
from bench.application import SOURCE
from bench.delivery import copies, runner
from bench.delivery.act import Result, as_secret_file, jobs_of
from bench.shell import BenchError

CALLERS = [copies.CALLER, copies.PREVIEW_CALLER]
SAID = """\
[Pipeline/Pipeline/Plan]   ✅  Success - Complete job
[Pipeline/Pipeline/Plan] 🏁  Job succeeded
[Pipeline/Pipeline/Test (backend-tests)-1 ] 🏁  Job failed
[Pipeline/Pipeline/Test (frontend-lint)-2] 🏁  Job succeeded
"""


def test_each_job_is_read_by_its_name() -> None:
    result = Result(1, jobs_of(SAID), SAID)
    assert result.jobs == {
        "Plan": True,
        "Test (backend-tests)-1": False,
        "Test (frontend-lint)-2": True,
    }
    assert not result.ok
    assert result.failed("Test (backend-tests)")
    assert not result.failed("Test (frontend")
    assert result.began("Test")
    assert not result.began("Build")


def test_a_run_without_a_job_did_not_end_well() -> None:
    assert not Result(1, {}, "").ok


@pytest.mark.parametrize("caller", CALLERS)
def test_all_actions_but_the_attestation_have_stand_ins(caller: str) -> None:
    options = runner.replacements("/srv/slipway", (SOURCE / caller).read_text())
    names = [option.partition("=")[2].partition("@")[0] for option in options]
    assert names == [
        "actions/checkout",
        "astral-sh/setup-uv",
        "docker/setup-buildx-action",
        "sigstore/cosign-installer",
        "your-organisation/slipway",
    ]
    assert options[-1].endswith("=/srv/slipway")


def test_a_caller_that_calls_something_else_is_refused() -> None:
    with pytest.raises(BenchError, match="calls no workflow"):
        runner.replacements("/srv/slipway", "jobs: {}")


@pytest.mark.parametrize("caller", CALLERS)
def test_what_a_user_fills_in_has_its_place_in_the_caller(caller: str) -> None:
    assert (SOURCE / caller).read_text().count(copies.FILLED_IN_BEFORE) == 1


def test_secrets_keep_their_lines() -> None:
    assert as_secret_file({"KEY": "one\ntwo", "B": "$x"}) == b"KEY='one\ntwo'\nB='$x'\n"
