"""A gate does what a pipeline may ask for, and refuses all else before anything runs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.outcome import Outcome
from pipeline import gate

from tests.unit.pipeline.programs import Programs

DIGEST = f"sha256:{'a' * 64}"
ASKED: dict[str, Any] = {
    "environment": "staging",
    "version": "abc123",
    "digests": {"ghcr.io/org/app/backend": DIGEST},
    "run": {"GITHUB_RUN_NUMBER": "42", "GITHUB_SHA": "abc1234", "GITHUB_ACTOR": "ada"},
}
OUTCOME = Outcome(result="deployed", release="20261122-101500-4f3a9c1e")


class Gate:
    def __init__(self) -> None:
        self.done: list[tuple[str, str, dict[str, str]]] = []

    def deploy(self, environment: str, version: str, digests: Mapping[str, str]) -> Outcome:
        self.done.append((environment, version, dict(digests)))
        return OUTCOME

    def ask(self, text: str) -> int:
        return gate.serve(["staging"], io.StringIO(text), self.deploy)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what the gate sets taken away again."""
    for name in gate.RUN:
        monkeypatch.setenv(name, "")


def test_a_deploy_is_done_and_its_outcome_told(capsys: pytest.CaptureFixture[str]) -> None:
    here = Gate()
    assert here.ask(json.dumps(ASKED)) == 0
    assert here.done == [("staging", "abc123", ASKED["digests"])]
    assert os.environ["GITHUB_RUN_NUMBER"] == "42"
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last.removeprefix(gate.MARK))["release"] == OUTCOME.release


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "production"},
        {"environment": ["staging"]},
        {"version": "abc; id"},
        {"version": 1},
        {"digests": {}},
        {"digests": {"ghcr.io/org/app/backend": "latest"}},
        {"digests": {"--help": DIGEST}},
        {"digests": [DIGEST]},
        {"digests": {f"a{number}": DIGEST for number in range(51)}},
        {"run": {}},
        {"run": {"GITHUB_RUN_NUMBER": "0"}},
        {"run": {**ASKED["run"], "LD_PRELOAD": "x.so"}},
        {"run": {**ASKED["run"], "ANSIBLE_CONFIG": "x.cfg"}},
        {"run": {**ASKED["run"], "GITHUB_ACTOR": "{{ lookup('pipe', 'id') }}"}},
        {"extra_vars": "x"},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_anything_else_is_refused(
    change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    here = Gate()
    assert here.ask(json.dumps(ASKED | change)) == 2
    assert not here.done
    assert "The gate refuses this" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "ls", "x" * 100_000])
def test_what_is_no_request_is_refused(text: str) -> None:
    here = Gate()
    assert here.ask(text) == 2
    assert not here.done


def test_a_pipeline_asks_over_ssh_with_pinned_hosts(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"PLAY [Deploy]\n{gate.MARK}{json.dumps({'result': 'deployed', 'release': 'r'})}\n"
    programs.answer("ssh", said)
    monkeypatch.setenv("SSH_PRIVATE_KEY", "the key")
    monkeypatch.setenv("SSH_KNOWN_HOSTS", "gate ssh-ed25519 AAAA")
    monkeypatch.setenv("GITHUB_RUN_NUMBER", "42")
    found = gate.ask("ci@gate", "staging", "abc123", ASKED["digests"])
    assert (found.result, found.release) == ("deployed", "r")
    assert capsys.readouterr().out == "PLAY [Deploy]\n"
    (call,) = programs.calls
    assert call.words[-3:] == ["--", "ci@gate", "deploy"]
    assert "-oStrictHostKeyChecking=yes" in call.words
    assert json.loads(call.stdin)["run"] == {"GITHUB_RUN_NUMBER": "42"}
    assert "SSH_PRIVATE_KEY" not in call.environment


def test_a_gate_that_says_nothing_has_failed(programs: Programs) -> None:
    programs.answer("ssh", "Connection closed\n", code=255)
    found = gate.ask("ci@gate", "staging", "abc123", ASKED["digests"])
    assert found.result == "failed"
