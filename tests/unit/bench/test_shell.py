"""Quiet while it works, plain when it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench import demo, shell


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(shell, "LOGS", tmp_path)
    return tmp_path


def test_success_is_quiet_and_logged(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run([sys.executable, "-c", "print('done')"], log="one") == "done\n"
    assert capsys.readouterr().out == ""
    assert "done" in (logs / "one.log").read_text()


def test_a_failure_shows_the_command_and_its_last_words() -> None:
    failing = "import sys; print('first'); sys.exit('no space left')"
    with pytest.raises(shell.BenchError, match=r"exit code 1\)(?s:.*)no space left"):
        shell.run([sys.executable, "-c", failing])


def test_a_missing_program_is_named() -> None:
    with pytest.raises(shell.BenchError, match="no-such-program is not installed"):
        shell.run(["no-such-program"])


def test_a_step_tells_when_it_begins_and_how_long_it_took(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shell.step("Build"):
        pass
    begin, end = capsys.readouterr().out.splitlines()
    assert begin.endswith("Build")
    assert end.startswith("  ok Build: 0.")


def test_the_deploy_s_own_report_is_found_in_ansible_s_output() -> None:
    output = (
        "TASK [stack : Report] ***\nok: [slipway-demo] => \n"
        "    msg: 'demo: nothing → one (version 1);\n        120 requests, 0 lost'\n\nPLAY RECAP\n"
    )
    assert demo.report(output) == ["demo: nothing → one (version 1);", "120 requests, 0 lost"]


def test_no_report_is_no_error() -> None:
    assert demo.report("PLAY RECAP ***\n") == []
