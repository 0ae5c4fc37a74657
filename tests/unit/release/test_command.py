"""One-shot commands, run to their end."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.command import redacted, run_command
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    ReleaseError,
    StackDirectory,
)

from tests.unit.release.fakes import NEW, OLD, FakeEngine, manifest, serve, written

CONTAINER = f"shop-{NEW}-migrate"


@pytest.fixture(autouse=True)
def prepared(directory: StackDirectory) -> None:
    written(directory, manifest())
    secrets = directory.release(NEW) / "secrets" / "backend"
    secrets.mkdir(parents=True)
    (secrets / "a_short").write_text("hunter2")
    (secrets / "b_long").write_text("hunter2-and-more")
    (secrets / "empty").write_text("")
    (secrets / "line").write_text("from-a-file\n")


def run(directory: StackDirectory, engine: FakeEngine, *, fatal: bool = True) -> str:
    return run_command(directory, engine, NEW, "migrate", timeout=600, fatal=fatal)


def test_a_command_runs_alone_in_its_own_container(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    assert run(directory, engine) == "the last line"
    assert engine.events == [f"rm {CONTAINER}", f"run {NEW}", f"rm {CONTAINER}"]
    assert directory.manifest(NEW).outcome == PREPARED


def test_a_failing_command_fails_the_release_and_says_what_serves(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    serve(directory, OLD)
    engine.wait = lambda: "3\n"
    with pytest.raises(ReleaseError) as caught:
        run(directory, engine)
    message = str(caught.value)
    assert "The command 'migrate' of stack_commands ended with code 3" in message
    assert "the last line" in message
    assert f"Nothing was switched: {OLD} serves as before." in message
    failed = directory.manifest(NEW)
    assert failed.outcome == FAILED
    assert "ended with code 3" in failed.reason
    assert failed.finished


def test_a_failure_before_the_first_release_says_that_nothing_serves(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    engine.wait = lambda: "1\n"
    with pytest.raises(ReleaseError, match="no release serves as before"):
        run(directory, engine)


def test_a_failure_after_the_switch_does_not_fail_the_release(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    engine.wait = lambda: "1\n"
    with pytest.raises(ReleaseError, match="ended with code 1"):
        run(directory, engine, fatal=False)
    assert directory.manifest(NEW).outcome == PREPARED


def test_a_command_that_does_not_end_in_time_is_ended(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    def too_long() -> str:
        raise EngineError("'docker wait' did not end within 600 seconds.")

    engine.wait = too_long
    with pytest.raises(ReleaseError, match=r"was ended after 600 seconds \(its timeout\)"):
        run(directory, engine)
    assert directory.manifest(NEW).outcome == FAILED
    assert engine.events[-1] == f"rm {CONTAINER}"


def test_a_command_that_cannot_start_fails_the_release_by_its_name(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    engine.failing["run"] = "exec: migrate: not found"
    with pytest.raises(ReleaseError, match=r"'migrate' of stack_commands could not start: exec:"):
        run(directory, engine)
    assert directory.manifest(NEW).outcome == FAILED


@pytest.mark.parametrize("failure", ["code", "start", "nothing"])
def test_its_container_is_removed_in_every_case(
    directory: StackDirectory, engine: FakeEngine, failure: str
) -> None:
    if failure == "code":
        engine.wait = lambda: "1\n"
    if failure == "start":
        engine.failing["run"] = "no"
    if failure == "nothing":
        run(directory, engine)
    else:
        with pytest.raises(ReleaseError):
            run(directory, engine)
    assert engine.events[-1] == f"rm {CONTAINER}"


@pytest.mark.parametrize("code", ["0", "1"])
def test_no_secret_is_shown_or_recorded(
    directory: StackDirectory, engine: FakeEngine, code: str
) -> None:
    engine.wait = lambda: code
    engine.log = "password 'hunter2' of app: hunter2-and-more"
    if code == "0":
        shown = run(directory, engine)
    else:
        with pytest.raises(ReleaseError) as caught:
            run(directory, engine)
        shown = f"{caught.value} {directory.manifest(NEW).reason}"
    assert "password '********' of app: ********" in shown
    assert "hunter2" not in shown


def test_a_secret_that_begins_with_another_leaves_no_rest(directory: StackDirectory) -> None:
    assert redacted("<hunter2-and-more>", directory, NEW) == "<********>"


def test_a_secret_is_struck_out_also_without_its_line_end(directory: StackDirectory) -> None:
    assert redacted("<from-a-file>", directory, NEW) == "<********>"


def test_a_release_without_secrets_leaves_the_text_alone(directory: StackDirectory) -> None:
    assert redacted("text", directory, OLD) == "text"
