"""Keeps which tests failed, for a command that runs many at once and says it last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

# A file that each run of pytest adds to, if it is told one.
FAILURES: Final = "FAILED_TESTS"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add each failed test and what was wrong, in two lines."""
    if not (path := os.environ.get(FAILURES)):
        return
    lines = [
        f"{report.nodeid}\n    {' '.join(wrong(report).split())[:500]}\n"
        for outcome in ("failed", "error")
        for report in terminalreporter.getreports(outcome)
    ]
    with Path(path).open("a") as file:
        file.writelines(lines)


def wrong(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the message of the exception, or all that there is."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash else report.longreprtext
