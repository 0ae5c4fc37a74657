"""One-shot commands, run to their end."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.command import redacted, run_command
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREPARED,
    ReleaseError,
)

from tests.unit.release.fake_engine import FakeEngine
from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import Stage

CONTAINER = f"shop-{NEW}-migrate"


@pytest.fixture
def engine(stage: Stage) -> FakeEngine:
    secrets = stage.directory.release(NEW) / "secrets" / "backend"
    secrets.mkdir(parents=True)
    (secrets / "a_short").write_text("hunter2")
    (secrets / "b_long").write_text("hunter2-and-more")
    (secrets / "empty").write_text("")
    (secrets / "line").write_text("from-a-file\n")
    return stage.engine


def run(stage: Stage) -> str:
    stage.engine.create(stage.directory.release(NEW), ["migrate"], timeout=1)
    return run_command(stage.directory, stage.engine, NEW, "migrate", timeout=600)


def test_a_command_runs_in_its_own_container_which_is_then_removed(
    stage: Stage, engine: FakeEngine
) -> None:
    assert run(stage) == "the last line"
    assert engine.events == [f"up {NEW}", f"start {CONTAINER}", f"rm {CONTAINER}"]
    assert CONTAINER not in engine.names()


def test_a_failing_command_is_told_with_its_last_lines(stage: Stage, engine: FakeEngine) -> None:
    engine.ended = lambda: 3
    with pytest.raises(ReleaseError) as caught:
        run(stage)
    message = str(caught.value)
    assert "The command 'migrate' of stack_commands ended with code 3" in message
    assert "the last line" in message


def test_a_command_that_wrote_nothing_is_told_so(stage: Stage, engine: FakeEngine) -> None:
    engine.ended = lambda: 1
    engine.log = ""
    with pytest.raises(ReleaseError, match="it wrote nothing"):
        run(stage)


def test_whether_a_release_failed_is_not_for_its_commands_to_say(
    stage: Stage, engine: FakeEngine
) -> None:
    engine.ended = lambda: 1
    with pytest.raises(ReleaseError):
        run(stage)
    assert stage.directory.manifest(NEW).outcome == PREPARED


def test_a_command_that_does_not_end_in_time_is_ended(stage: Stage, engine: FakeEngine) -> None:
    def too_long() -> int:
        raise EngineError("'docker wait' did not end within 600 seconds.")

    engine.ended = too_long
    with pytest.raises(ReleaseError, match=r"was ended after 600 seconds \(its timeout\)"):
        run(stage)
    assert CONTAINER not in engine.names()


def test_a_command_that_cannot_start_is_told_by_its_name(stage: Stage, engine: FakeEngine) -> None:
    engine.failing["start"] = "exec: migrate: not found"
    with pytest.raises(ReleaseError, match=r"'migrate' of stack_commands could not start: exec:"):
        run(stage)


@pytest.mark.parametrize("failure", ["code", "start", "nothing"])
def test_its_container_is_removed_in_every_case(
    stage: Stage, engine: FakeEngine, failure: str
) -> None:
    if failure == "code":
        engine.ended = lambda: 1
    if failure == "start":
        engine.failing["start"] = "no"
    if failure == "nothing":
        run(stage)
    else:
        with pytest.raises(ReleaseError):
            run(stage)
    assert engine.events[-1] == f"rm {CONTAINER}"


@pytest.mark.parametrize("code", ["0", "1"])
def test_no_secret_is_shown(stage: Stage, engine: FakeEngine, code: str) -> None:
    engine.ended = lambda: int(code)
    engine.log = "password 'hunter2' of app: hunter2-and-more"
    if code == "0":
        shown = run(stage)
    else:
        with pytest.raises(ReleaseError) as caught:
            run(stage)
        shown = str(caught.value)
    assert "password '********' of app: ********" in shown
    assert "hunter2" not in shown


def test_no_secret_is_shown_when_it_cannot_start(stage: Stage, engine: FakeEngine) -> None:
    engine.failing["start"] = "bad value hunter2"
    with pytest.raises(ReleaseError, match=r"bad value \*\*\*"):
        run(stage)


def test_a_secret_that_begins_with_another_leaves_no_rest(stage: Stage, engine: FakeEngine) -> None:
    assert redacted("<hunter2-and-more>", stage.directory, NEW) == "<********>"


def test_a_secret_is_struck_out_also_without_its_line_end(stage: Stage, engine: FakeEngine) -> None:
    assert redacted("<from-a-file>", stage.directory, NEW) == "<********>"


def test_a_short_secret_is_struck_out_where_it_stands_alone(
    stage: Stage, engine: FakeEngine
) -> None:
    (stage.directory.release(NEW) / "secrets" / "backend" / "user").write_text("app")
    shown = redacted('user "app": /app/django.apps application app', stage.directory, NEW)
    assert shown == 'user "********": /app/django.apps application ********'


def test_each_line_of_a_secret_is_struck_out(stage: Stage, engine: FakeEngine) -> None:
    keys = stage.directory.release(NEW) / "secrets" / "backend" / "keys"
    keys.write_bytes(b"{\r\n  the new key\r\n  the old key\r\n}")
    text = redacted("{ bad: the old key }\nthe new key", stage.directory, NEW)
    assert text == "{ bad: ******** }\n********"


def test_a_release_without_secrets_leaves_the_text_alone(stage: Stage, engine: FakeEngine) -> None:
    assert redacted("text", stage.directory, OLD) == "text"
