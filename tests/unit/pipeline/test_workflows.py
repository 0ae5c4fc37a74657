"""The workflows agree with what the rest of the repository says, and keep their secrets apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PIPELINE = ROOT / ".github" / "workflows" / "pipeline.yml"
PREVIEW = PIPELINE.with_name("preview.yml")
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("example/.github/**/*.yml")])
MAKEFILE = (ROOT / "Makefile").read_text()


def jobs(path: Path = PIPELINE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


def called(path: Path = PIPELINE) -> dict[str, Any]:
    """Return what a caller may give: YAML 1.1 reads the key `on` as true."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())[True]["workflow_call"]
    return found


def text_of(job: dict[str, Any]) -> str:
    return yaml.safe_dump(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nobody_may_do_anything_that_a_job_does_not_ask_for(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    assert all("permissions" in job for job in jobs(path).values())


def test_uv_is_the_one_that_make_installs() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", MAKEFILE, re.MULTILINE)
    for path in WORKFLOWS:
        given = [
            step["with"]["version"]
            for job in jobs(path).values()
            for step in job.get("steps", [])
            if "setup-uv" in step.get("uses", "")
        ]
        assert set(given) <= {version}, path


def test_cosign_is_of_the_version_that_servers_check_with() -> None:
    defaults = yaml.safe_load((ROOT / "roles/docker/defaults/main.yml").read_text())
    texts = PIPELINE.read_text() + PREVIEW.read_text()
    releases = re.findall(r"cosign-release: (\S+)", texts)
    assert all(f"/{release}/" in defaults["docker_cosign_url"] for release in releases)


def test_tests_run_on_every_python_that_is_supported() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    ((first, last),) = re.findall(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', project)
    matrix = jobs(PIPELINE.with_name("ci.yml"))["unit"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{minor}" for minor in range(int(first), int(last))]


def test_every_scenario_is_run() -> None:
    scenarios = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    matrix = jobs(PIPELINE.with_name("ci.yml"))["molecule"]["strategy"]["matrix"]
    assert matrix["scenario"] == scenarios


def test_each_step_is_a_target_that_another_ci_can_call() -> None:
    texts = PIPELINE.read_text() + PREVIEW.read_text()
    for target in re.findall(r"make -C slipway (\S+)", texts):
        assert f"\n{target}: " in MAKEFILE, target


def test_stages_are_done_in_order_and_the_team_hears_of_each() -> None:
    needs = {name: job.get("needs", []) for name, job in jobs().items()}
    assert (needs["test"], needs["build"], needs["staging"]) == ("plan", "test", "build")
    assert needs["production"] == ["build", "staging"]
    assert needs["notify"] == [name for name in needs if name != "notify"]


def test_secrets_are_seen_only_by_the_jobs_that_need_them() -> None:
    found = {
        name: set(re.findall(r"secrets\.([A-Z_]+)", text_of(job))) - {"SLIPWAY_TOKEN"}
        for name, job in jobs().items()
    }
    deploy = {"SSH_PRIVATE_KEY", "SSH_CERTIFICATE", "VAULT_PASSWORD", "SMOKE_LOGIN"}
    assert found == {
        "plan": set(),
        "test": set(),
        "build": {"REGISTRY_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"},
        "provenance": set(),
        "staging": deploy,
        "production": deploy,
        "notify": {"NOTIFY_SLACK_URL", "NOTIFY_WEBHOOK_URL"},
    }
    assert set().union(*found.values()) | {"SLIPWAY_TOKEN"} == set(called()["secrets"])
    with_secrets = {name for name, secrets in found.items() if secrets}
    assert with_secrets == {name for name, job in jobs().items() if "environment" in job}


def test_a_caller_gives_what_may_be_given_and_allows_what_is_asked_for() -> None:
    (caller,) = jobs(ROOT / "example/.github/workflows/deploy.yml").values()
    assert set(caller["secrets"]) <= set(called()["secrets"])
    asked: set[tuple[str, str]] = set()
    for job in jobs().values():
        asked |= set(job["permissions"].items())
    assert set(caller["permissions"].items()) == asked


def test_nothing_ends_a_deploy_that_is_under_way() -> None:
    assert "concurrency" not in PIPELINE.read_text()
    assert "concurrency" not in (ROOT / "example/.github/workflows/deploy.yml").read_text()


# previews ---------------------------------------------------------------------------------------


def test_what_comes_from_a_fork_gets_no_preview_and_no_secret() -> None:
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    for name, job in jobs(PREVIEW).items():
        # What needs a job that is left out is left out too.
        assert own in job.get("if", "") or job.get("needs") == "build", name
    assert own in jobs(PREVIEW)["build"]["if"]
    triggers = yaml.safe_load((ROOT / "example/.github/workflows/preview.yml").read_text())[True]
    assert list(triggers) == ["pull_request"]


def test_a_closed_pull_request_is_removed_and_an_open_one_deployed() -> None:
    conditions = {name: job.get("if", "") for name, job in jobs(PREVIEW).items()}
    assert "github.event.action != 'closed'" in conditions["build"]
    assert "github.event.action == 'closed'" in conditions["remove"]
    (types,) = yaml.safe_load((ROOT / "example/.github/workflows/preview.yml").read_text())[
        True
    ].values()
    assert set(types["types"]) == {"opened", "reopened", "synchronize", "closed"}


def test_a_preview_s_secrets_are_seen_only_by_the_jobs_that_need_them() -> None:
    found = {
        name: set(re.findall(r"secrets\.([A-Z_]+)", text_of(job))) - {"SLIPWAY_TOKEN"}
        for name, job in jobs(PREVIEW).items()
    }
    access = {"SSH_PRIVATE_KEY", "SSH_CERTIFICATE", "VAULT_PASSWORD"}
    assert found == {
        "build": {"REGISTRY_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"},
        "deploy": access | {"SMOKE_LOGIN"},
        "remove": access,
    }
    assert set().union(*found.values()) | {"SLIPWAY_TOKEN"} == set(called(PREVIEW)["secrets"])
    # What the environment `build` signs with must not be within the reach of a pull request.
    environments = {name: job["environment"] for name, job in jobs(PREVIEW).items()}
    assert "build" not in environments.values()


def test_the_caller_of_previews_allows_what_is_asked_for() -> None:
    (caller,) = jobs(ROOT / "example/.github/workflows/preview.yml").values()
    assert set(caller["secrets"]) <= set(called(PREVIEW)["secrets"])
    asked: set[tuple[str, str]] = set()
    for job in jobs(PREVIEW).values():
        asked |= set(job["permissions"].items())
    assert set(caller["permissions"].items()) == asked


def test_what_a_person_names_a_branch_reaches_no_shell() -> None:
    for job in jobs(PREVIEW).values():
        assert all("${{" not in step.get("run", "") for step in job["steps"])
