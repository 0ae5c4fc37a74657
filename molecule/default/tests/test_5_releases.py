"""New releases: good ones replace the old, bad ones leave it alone."""

from __future__ import annotations

import re
from typing import Any

from bench.load import Load
from bench.playbooks import Environment
from bench.visitor import Visitor


def version(visitor: Visitor) -> dict[str, str]:
    """Ask which release serves."""
    answer: dict[str, str] = visitor.get("/version").json()
    return answer


def test_second_version_replaces_the_first_and_keeps_its_data(
    visitor: Visitor, production: Environment
) -> None:
    visitor.get("/api/boards/")
    visitor.write_note("written before the second version")
    run = production.playbook("deploy.yml", stack_version="2")
    assert run.ok, run.output
    assert version(visitor)["version"] == "2"
    assert "written before the second version" in visitor.notes()


def test_hashed_files_of_the_first_version_stay_while_it_is_kept(
    server: Any, visitor: Visitor
) -> None:
    files = server.run("ls", "/srv/slipway/stacks/production/volumes/static/admin/css").split()
    hashed = next(name for name in files if name.startswith("base.") and name.count(".") == 2)
    assert visitor.get(f"/static/admin/css/{hashed}").status_code == 200


def test_failing_migration_leaves_the_old_release_serving_and_says_why(
    visitor: Visitor, production: Environment, server: Any
) -> None:
    before = version(visitor), server.started()
    run = production.playbook("deploy.yml", stack_version="failing-migration")
    assert not run.ok
    assert "The command 'migrate' of stack_commands ended with code 1" in run.output
    assert "this migration fails on purpose" in run.output
    assert (version(visitor), server.started()) == before


def test_release_that_crashes_at_its_start_leaves_the_old_one_serving(
    visitor: Visitor, production: Environment, server: Any
) -> None:
    before = version(visitor), server.started()
    broken = {"GUNICORN_CMD_ARGS": "--no-such-option"}
    run = production.playbook("deploy.yml", stack_environment=broken)
    assert not run.ok
    assert re.search(r"-backend-[12] ended with code \d", run.output), run.output
    assert "unrecognized arguments: --no-such-option" in run.output, "its last lines are shown"
    assert (version(visitor), server.started()) == before


def test_image_that_does_not_exist_is_refused_before_anything_changes(
    production: Environment, server: Any
) -> None:
    before = server.started()
    run = production.playbook("deploy.yml", stack_version="never-pushed")
    assert not run.ok
    assert run.changed == 0
    assert "stack_services.backend" in run.output
    assert "stack_version ('never-pushed')" in run.output
    assert server.started() == before


def test_configuration_alone_makes_a_release_and_loses_no_request(
    visitor: Visitor, production: Environment
) -> None:
    before = version(visitor)
    with Load(visitor, per_second=40) as load:
        run = production.playbook("deploy.yml", stack_environment={"BANNER": "a$b {x} 'c' \"d\""})
    assert run.ok, run.output
    after = version(visitor)
    assert after["version"] == before["version"]
    assert after["release"] != before["release"]
    assert load.lost == [], load.summary()
    assert len(load.answered) > 100


def test_odd_characters_reach_the_application_byte_for_byte(server: Any) -> None:
    name = next(one for one in server.started() if "-backend-" in one)
    value = server.run(
        "docker", "exec", name, "python", "-c", "import os; print(os.environ['BANNER'])"
    )
    assert value.rstrip("\n") == "a$b {x} 'c' \"d\""
