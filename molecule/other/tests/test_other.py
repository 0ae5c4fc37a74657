"""An application that is nothing like the sample serves, by its inventory alone."""

from __future__ import annotations

import json
from typing import Any

from bench.visitor import Visitor

STATE = "/srv/slipway/stacks/other/volumes/state"


def test_slow_application_serves_on_each_of_its_domains(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer.status_code == 200
    assert "token 12" in answer.text


def test_commands_ran_before_and_after_the_switch(server: Any) -> None:
    assert "visits" in server.run("ls", STATE)
    release = server.run("cat", f"{STATE}/announced")
    assert f"other-{release}-counter-1" in server.started()


def test_hooks_ran_before_and_after_the_switch(server: Any) -> None:
    assert server.run("cat", "/srv/before") == "nothing served before"
    assert server.run("cat", f"{STATE}/announced") in server.run("cat", "/srv/after")


def test_host_is_logged_in_to_the_registry(server: Any) -> None:
    logins = json.loads(server.run("cat", "/root/.docker/config.json"))
    assert list(logins["auths"]) == ["registry.slipway.test:5000"]


def test_worker_runs_and_no_visitor_reaches_it(server: Any) -> None:
    worker = next(c for name, c in server.containers().items() if "-worker-" in name)
    assert worker["State"]["Health"]["Status"] == "healthy"
    assert worker["Config"]["StopSignal"] == "SIGINT"
    assert list(worker["NetworkSettings"]["Networks"]) == ["other-app"]


def test_no_postgres_runs_for_a_stack_that_has_none(server: Any) -> None:
    assert not [name for name in server.containers() if "postgres" in name]
