"""Digests go to Ansible, its outcome comes back; keys are files that are gone afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.outcome import Outcome
from pipeline import __main__ as pipeline
from pipeline import deploy
from pipeline.shell import PipelineError

from tests.unit.pipeline.programs import Programs
from tests.unit.pipeline.test_images import handed_on
from tests.unit.pipeline.test_notice import REPORT

DIGEST = f"sha256:{'a' * 64}"
DIGESTS = {"ghcr.io/org/app/backend": DIGEST}
ENDED = """#python
given = pathlib.Path(words[-1].removeprefix("@")).read_text()
(folder / "given.json").write_text(given)
files = {{}}
for option in os.environ.get("ANSIBLE_SSH_COMMON_ARGS", "").split():
    path = pathlib.Path(option.partition("=")[2])
    if path.is_file():
        files[path.name] = [oct(path.stat().st_mode)[-3:], path.read_text()]
(folder / "files.json").write_text(json.dumps(files))
pathlib.Path(os.environ["SLIPWAY_OUTCOME"]).write_text({outcome!r})
"""


# A play that plans no stack says no more.
REMOVED = ENDED.format(outcome=json.dumps({"result": "", "message": "", "host": ""}))


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "abc123")
    monkeypatch.setenv("DIGESTS", json.dumps(DIGESTS))


def ended(result: str, *, message: str = "", report: object = None) -> str:
    outcome = {
        "result": result, "message": message, "host": "server", "stack": "staging",
        "domain": "staging.example.com", "release": "20261122-101500-4f3a9c1e", "report": report,
    }  # fmt: skip
    return ENDED.format(outcome=json.dumps(outcome))


def summary(outputs: Path) -> str:
    return outputs.with_name("summary.md").read_text()


def test_a_deploy_hands_on_its_release_and_shows_what_it_did(
    programs: Programs, outputs: Path
) -> None:
    programs.answer("ansible-playbook", ended("deployed", report=REPORT))
    assert pipeline.main(["deploy", "staging"]) == 0
    assert programs.lines()[0].startswith("ansible-playbook deploy.yml -i inventories/staging -e @")
    assert json.loads((programs.folder / "given.json").read_text()) == {
        "stack_version": "abc123", "stack_digests": DIGESTS, "stack_lock_wait": 1800,
    }  # fmt: skip
    assert handed_on(outputs) == {
        "result": "deployed",
        "release": "20261122-101500-4f3a9c1e",
        "domain": "staging.example.com",
    }
    text = summary(outputs)
    assert "### 🟢 staging: deployed" in text
    assert "| from | to | version | seconds | requests probed | lost |" in text
    assert "| nothing | `20261122-101500-4f3a9c1e` | `1.4.1` | 31.2 | 412 | **0** |" in text
    assert text.rstrip().endswith("https://staging.example.com/")


def test_a_run_that_was_overtaken_has_not_failed(programs: Programs, outputs: Path) -> None:
    programs.answer("ansible-playbook", ended("overtaken", message="run 41, an older one"), code=2)
    assert pipeline.main(["deploy", "staging"]) == 0
    assert handed_on(outputs)["result"] == "overtaken"
    assert "a newer run came first" in summary(outputs)


def after_stale_plans(number: int) -> str:
    """Have the first plays lose to another deploy between their plan and their roll."""
    first = ended("stale", message="Another deploy came first").removeprefix("#python\n")
    then = ended("deployed", report=REPORT).removeprefix("#python\n")
    count = 'turn = len((folder / "calls.jsonl").read_text().splitlines())'
    return f"#python\n{count}\nexec({first!r} if turn <= {number} else {then!r})\n"


def test_a_plan_that_another_deploy_made_stale_is_made_anew(
    programs: Programs, outputs: Path
) -> None:
    programs.answer("ansible-playbook", after_stale_plans(2))
    assert pipeline.main(["deploy", "staging"]) == 0
    assert len(programs.calls) == 3
    assert handed_on(outputs)["result"] == "deployed"


def test_plans_that_are_always_stale_fail_in_the_end(programs: Programs, outputs: Path) -> None:
    programs.answer("ansible-playbook", after_stale_plans(deploy.MOST_PLANS))
    assert pipeline.main(["deploy", "staging"]) == 1
    assert len(programs.calls) == deploy.MOST_PLANS
    assert handed_on(outputs)["result"] == "failed"


def test_a_deploy_that_failed_says_why(
    programs: Programs, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.answer("ansible-playbook", ended("failed", message="Disk: full"), code=2)
    assert pipeline.main(["deploy", "production"]) == 1
    assert "The deploy to production failed: Disk: full" in capsys.readouterr().out
    assert "🔴 production: failed" in summary(outputs)


@pytest.mark.parametrize("script", ["", ended("deployed", report=REPORT)])
def test_a_play_that_broke_off_has_failed_whatever_it_wrote(
    programs: Programs, outputs: Path, script: str
) -> None:
    programs.answer("ansible-playbook", script, code=250)
    assert pipeline.main(["deploy", "staging"]) == 1
    assert handed_on(outputs)["result"] == "failed"


def test_keys_are_private_files_for_the_play_only_and_hosts_are_pinned(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.answer("ansible-playbook", ended("unchanged"))
    monkeypatch.setenv("SSH_PRIVATE_KEY", "the key\r\nwithout a last line end")
    monkeypatch.setenv("SSH_KNOWN_HOSTS", "server ssh-ed25519 AAAA")
    monkeypatch.setenv("VAULT_PASSWORD", "correct horse")
    deploy.deploy("staging", "abc123", DIGESTS)
    (call,) = programs.calls
    assert json.loads((programs.folder / "files.json").read_text()) == {
        "identity": ["600", "the key\nwithout a last line end\n"],
        "known_hosts": ["600", "server ssh-ed25519 AAAA\n"],
    }
    options = call.environment["ANSIBLE_SSH_COMMON_ARGS"]
    assert "-oStrictHostKeyChecking=yes" in options
    vault = Path(call.environment["ANSIBLE_VAULT_PASSWORD_FILE"])
    assert not vault.parent.exists()
    everything = json.dumps([call.words, call.environment])
    assert "the key" not in everything
    assert "correct horse" not in everything


def test_a_key_without_pinned_hosts_is_refused(
    monkeypatch: pytest.MonkeyPatch, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSH_PRIVATE_KEY", "the key")
    assert pipeline.main(["deploy", "staging"]) == 1
    assert "SSH_KNOWN_HOSTS is not set" in capsys.readouterr().out
    assert not programs.calls


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("DIGESTS", "{}", "DIGESTS is empty"),
        ("DIGESTS", "[]", "is no JSON object"),
        ("DIGESTS", "{", "is no JSON"),
        ("DIGESTS", '{"a": "latest"}', "that of a is no digest"),
        ("VERSION", "a b", "can be no image's tag"),
    ],
)
def test_what_was_not_built_is_not_deployed(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, name: str, value: str, wrong: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PipelineError, match=wrong):
        pipeline.deploy_to("staging")
    assert not programs.calls


@pytest.mark.parametrize("environment", ["", "../staging", "stagin"])
def test_an_environment_that_is_not_there_is_refused(
    environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.main(["deploy", environment]) == 1
    assert "only: demo, production, staging" in capsys.readouterr().out


def test_an_outcome_that_never_came_is_a_failure(tmp_path: Path) -> None:
    assert deploy.read_outcome(tmp_path / "none") == Outcome(
        "failed", message="ansible-playbook did not get to its end: see its output."
    )


def test_a_preview_is_deployed_by_its_own_playbook_with_its_branch(
    programs: Programs, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.answer("ansible-playbook", ended("deployed", report=REPORT))
    monkeypatch.setenv("BRANCH", "feature/search")
    assert pipeline.main(["preview", "staging"]) == 0
    line = programs.lines()[0]
    assert line.startswith("ansible-playbook playbooks/preview.yml -i inventories/staging -e @")
    given = json.loads((programs.folder / "given.json").read_text())
    assert (given["branch"], given["stack_version"]) == ("feature/search", "abc123")
    assert given["stack_digests"] == DIGESTS
    assert handed_on(outputs)["result"] == "deployed"
    assert "### 🟢 preview of feature/search: deployed" in summary(outputs)


def test_a_removed_preview_needs_no_build(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.answer("ansible-playbook", REMOVED)
    monkeypatch.setenv("BRANCH", "feature/search")
    monkeypatch.delenv("DIGESTS")
    assert pipeline.main(["preview-remove", "staging"]) == 0
    given = json.loads((programs.folder / "given.json").read_text())
    assert given == {"branch": "feature/search", "state": "absent", "stack_lock_wait": 1800}
    assert "The preview of 'feature/search' is gone." in capsys.readouterr().out


@pytest.mark.parametrize("script", ["", REMOVED, ended("failed", message="the host is busy")])
def test_a_preview_that_stays_fails_the_run(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    programs.answer("ansible-playbook", script, code=2)
    monkeypatch.setenv("BRANCH", "feature/search")
    assert pipeline.main(["preview-remove", "staging"]) == 1


@pytest.mark.parametrize("step", ["preview", "preview-remove"])
def test_a_branch_that_is_a_template_never_reaches_ansible(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    programs.answer("ansible-playbook", REMOVED)
    monkeypatch.setenv("BRANCH", "{{lookup('pipe','id')}}")
    assert pipeline.main([step, "staging"]) == 1
    assert programs.lines() == []
