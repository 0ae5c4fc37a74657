"""What ssh-audit says of the host's OpenSSH."""

from __future__ import annotations

from typing import Any

from bench.auditor import Auditor


def test_algorithms_satisfy_the_policy(auditor: Auditor) -> None:
    assert "Passed" in auditor.policy("/openssh.policy")


def test_no_algorithm_fails_and_only_those_that_are_waived_are_warned_of(
    auditor: Auditor, waivers: dict[str, Any]
) -> None:
    notes = auditor.ssh()
    assert {note for note in notes if note.severity == "fail"} == set()
    assert {note.check for note in notes} == set(waivers["ssh"]), notes
