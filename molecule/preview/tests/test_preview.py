"""Previews come, roll, are bounded and go; staging and production never notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.branches import PRODUCTION, STAGING, Branch
from bench.visitor import Visitor

SEARCH, TEXTS, LATE = Branch("feature/search"), Branch("fix-texts"), Branch("late")
SEEDED = "seeded"
PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 5432), 2)
    print("reached")
except OSError:
    print("no way")
"""
# As if all its days were over: nobody here can set the clock.
OVER = """
import json, pathlib, sys
record = pathlib.Path(sys.argv[1])
record.write_text(json.dumps(json.loads(record.read_text()) | {"days": 0}))
"""
Others = Callable[[], dict[str, tuple[str, str]]]
LeftOf = Callable[[str], list[str]]
SecretsOf = Callable[[str], set[str]]


def test_staging_moves_in_beside_production() -> None:
    run = STAGING.playbook("playbooks/site.yml", stack_version="1")
    assert run.ok, run.output


def test_a_preview_without_a_version_is_refused_before_anything_changes(left_of: LeftOf) -> None:
    run = SEARCH.preview()
    assert not run.ok
    assert run.changed == 0
    assert "say which version to deploy" in run.output
    assert left_of(SEARCH.stack) == []


def test_a_check_says_where_a_preview_would_be_and_changes_nothing(left_of: LeftOf) -> None:
    run = SEARCH.preview("--check", version="1")
    assert run.ok, run.output
    assert f"will answer at https://{SEARCH.slug}.preview.staging.branches.test/" in " ".join(
        run.output.split()
    )
    assert left_of(SEARCH.stack) == []


def test_a_preview_shows_its_branch_and_nobody_beside_it_notices(
    others: Others, secrets_of: SecretsOf
) -> None:
    before = others()
    run = SEARCH.preview(version="1")
    assert run.ok, run.output
    assert others() == before
    assert SEARCH.visitor().get("/version").json()["version"] == "1"
    for secret in secrets_of(SEARCH.stack) | secrets_of("staging"):
        assert secret not in run.output


def test_it_is_behind_stagings_password_and_out_of_search_engines() -> None:
    assert SEARCH.stranger().get("/").status_code == 401
    answer = SEARCH.visitor().get("/")
    assert answer.status_code == 200
    assert "noindex" in answer.headers["X-Robots-Tag"]


def test_it_has_a_database_and_secrets_of_its_own(
    staging_visitor: Visitor, secrets_of: SecretsOf
) -> None:
    visitor = SEARCH.visitor()
    assert visitor.notes() == [SEEDED]
    visitor.write_note("only in the preview")
    assert "only in the preview" not in staging_visitor.notes()
    own, of_staging = secrets_of(SEARCH.stack), secrets_of("staging")
    assert own
    assert of_staging
    assert not own & of_staging


def test_it_does_not_reach_anybody_elses_database(server: Any) -> None:
    containers = server.containers(all_=False)
    (backend,) = [
        name for name in containers if name.startswith(SEARCH.stack) and "-backend-" in name
    ]

    def probe(stack: str) -> str:
        networks = containers[f"{stack}-postgres"]["NetworkSettings"]["Networks"]
        address = networks[f"{stack}-data"]["IPAddress"]
        said: str = server.run("docker", "exec", backend, "python", "-c", PROBE, address)
        return said.strip()

    reached = {stack: probe(stack) for stack in (SEARCH.stack, "staging", "production")}
    assert reached == {SEARCH.stack: "reached", "staging": "no way", "production": "no way"}


def test_the_same_again_changes_nothing(server: Any) -> None:
    before = server.started()
    run = SEARCH.preview(version="1")
    assert run.ok, run.output
    assert run.changed == 0, run.output
    assert server.started() == before


def test_a_newer_version_rolls_as_any_deploy_does_and_keeps_the_data(
    server: Any, others: Others
) -> None:
    before = others()
    run = SEARCH.preview(version="2")
    assert run.ok, run.output
    assert others() == before
    assert SEARCH.visitor().get("/version").json()["version"] == "2"
    assert SEARCH.visitor().notes().count(SEEDED) == 1
    assert "only in the preview" in SEARCH.visitor().notes()
    history = server.run("cat", f"/srv/slipway/stacks/{SEARCH.stack}/history.jsonl")
    last = json.loads(history.splitlines()[-1])
    assert last["probe"]["asked"] > 0
    assert last["probe"]["lost"] == 0


def test_one_more_than_may_be_is_refused_with_those_that_exist(
    others: Others, left_of: LeftOf
) -> None:
    run = TEXTS.preview(version="1")
    assert run.ok, run.output
    before = others()
    run = LATE.preview(version="1")
    assert not run.ok
    assert run.changed == 0
    said = " ".join(run.output.split())
    assert "preview_max is 2" in said
    for branch in (SEARCH, TEXTS):
        assert f"'{branch.name}' of staging" in said
        assert f"-e state=absent -e branch={branch.name}" in said
    assert left_of(LATE.stack) == []
    assert others() == before


def test_the_list_shows_branch_address_version_and_end() -> None:
    run = STAGING.playbook("playbooks/previews.yml")
    assert run.ok, run.output
    for branch, version in ((SEARCH, "2"), (TEXTS, "1")):
        (line,) = [line for line in run.output.splitlines() if branch.stack in line]
        words = line.split()
        assert branch.name in words
        assert f"https://{branch.slug}.preview.staging.branches.test/" in words
        assert version in words
        assert "6 days" in line


def test_the_host_removes_a_preview_whose_days_are_over(
    server: Any, others: Others, left_of: LeftOf
) -> None:
    before = others()
    server.run("systemctl", "start", "slipway-previews.service")
    assert TEXTS.visitor().get("/version").ok
    server.run("python3", "-c", OVER, f"/srv/slipway/stacks/{TEXTS.stack}/preview.json")
    server.run("systemctl", "start", "slipway-previews.service")
    assert left_of(TEXTS.stack) == []
    assert others() == before
    assert SEARCH.visitor().get("/version").ok
    assert server.run("systemctl", "is-active", "slipway-previews.timer").strip() == "active"


def test_a_removed_preview_leaves_nothing(
    server: Any, others: Others, left_of: LeftOf, staging_visitor: Visitor
) -> None:
    before = others()
    images = server.run("docker", "images", "--quiet").split()
    run = SEARCH.preview("--check", state="absent")
    assert run.ok, run.output
    assert f"volume {SEARCH.stack}-postgres" in run.output
    assert SEARCH.visitor().get("/version").ok
    run = SEARCH.preview(state="absent")
    assert run.ok, run.output
    assert left_of(SEARCH.stack) == []
    assert others() == before
    assert staging_visitor.get("/version").json()["version"] == "1"
    # Staging has none of version 2.
    assert len(server.run("docker", "images", "--quiet").split()) < len(images)
    run = SEARCH.preview(state="absent")
    assert run.ok, run.output
    assert run.changed == 0


def test_neither_staging_nor_production_can_be_removed_as_a_preview(others: Others) -> None:
    before = others()
    run = SEARCH.preview(state="absent", stack_name="staging")
    assert not run.ok
    assert "is no preview" in run.output
    run = PRODUCTION.playbook("playbooks/preview.yml", branch="main", version="1")
    assert not run.ok
    assert "open to search engines" in run.output
    assert others() == before


def test_a_stack_goes_when_it_is_named_in_words_and_no_other_one_with_it(
    others: Others, left_of: LeftOf
) -> None:
    before = others()
    run = STAGING.playbook("playbooks/remove.yml")
    assert not run.ok
    assert "confirm='remove staging and its data'" in " ".join(run.output.split())
    assert others() == before
    run = STAGING.playbook("playbooks/remove.yml", confirm="remove staging and its data")
    assert run.ok, run.output
    assert left_of("staging") == []
    stays = {name: one for name, one in before.items() if not name.startswith("staging-")}
    assert others() == stays
