"""A maintenance holds for visitors alone, and no visitor ever meets a bare error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bench.load import Load
from bench.playbooks import Run
from bench.site import Site
from bench.visitor import Visitor

TOKEN = "known-to-everybody-who-reads-the-tests"  # noqa: S105 - of this scenario's inventory
PAGE = "We will be back soon"
RELEASE = "X-Slipway-Release"

Switch = Callable[..., Run]


@pytest.fixture(scope="module")
def maintenance(site: Site) -> Iterator[Switch]:
    """Return how to switch the maintenance, and open the site again at the end."""

    def switch(state: str, *options: str, **variables: Any) -> Run:
        return site.environment.playbook(
            "playbooks/maintenance.yml", *options, state=state, **variables
        )

    yield switch
    switch("off")


def met(visitor: Visitor, path: str = "/", **options: Any) -> bool:
    """Say whether a visitor meets the page; fail when it is anything but that or a release."""
    answer = visitor.get(path, **options)
    if answer.headers.get(RELEASE):
        return False
    assert PAGE in answer.text
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    return True


def running(server: Any, stack: str) -> list[str]:
    """Name the routed containers of a stack that run."""
    names = server.containers(all_=False)
    return [one for one in names if one.startswith(f"{stack}-2") and "worker" not in one]


def test_maintenance_goes_on_and_off_under_load_and_no_visitor_meets_a_bare_error(
    site: Site, maintenance: Switch, server: Any
) -> None:
    before = server.started()
    with Load(site.visitor(), 40) as load:
        time.sleep(1)
        on = maintenance("on", "-vvv", "--diff", retry_after=900)
        assert on.ok, on.output
        assert TOKEN not in on.output
        answer = site.visitor().get("/api/boards/")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "900")
        assert PAGE in answer.text
        again = maintenance("on", retry_after=900)
        assert again.ok, again.output
        assert again.changed == 0
        off = maintenance("off")
        assert off.ok, off.output
        assert not met(site.visitor())
        time.sleep(1)
    statuses = {record.status for record in load.records}
    assert statuses == {200, 503}, statuses
    assert server.started() == before
    assert maintenance("off").changed == 0


def test_a_check_says_so_and_changes_nothing(site: Site, maintenance: Switch) -> None:
    run = maintenance("on", "--check")
    assert run.ok, run.output
    assert run.changed == 1
    assert not met(site.visitor())


@pytest.mark.parametrize("state", ["true", "yes", ""])
def test_what_is_neither_on_nor_off_is_refused(maintenance: Switch, state: str) -> None:
    run = maintenance(state)
    assert not run.ok
    assert "state=on" in run.output
    assert run.changed == 0


def test_programs_get_json_and_a_large_body_is_answered_too(
    site: Site, maintenance: Switch
) -> None:
    assert maintenance("on").ok
    answer = site.visitor().get("/api/boards/", headers={"Accept": "application/json"})
    assert answer.json() == {"error": "unavailable", "retry_after": 600}
    answer = site.visitor().ask("POST", "/api/bench/upload", data=b"a" * 1_000_000)
    assert answer.status_code == 503
    assert PAGE in answer.text


def test_staff_pass_by_cookie_and_by_address(site: Site, maintenance: Switch) -> None:
    assert maintenance("on").ok
    staff = site.visitor()
    assert met(staff)
    assert staff.get(f"/slipway-staff/{TOKEN}x").status_code == 503
    link = staff.get(f"/slipway-staff/{TOKEN}")
    assert link.status_code == 302
    assert link.headers["Location"] == "https://yourdomain.com/"
    # A cookie of the prefix __Host- that is Secure and HttpOnly; the visitor's jar knows no port.
    name, _, value = link.headers["Set-Cookie"].partition(";")[0].partition("=")
    cookie = {"Cookie": f"{name}={value}"}
    assert not met(staff, headers=cookie)
    assert not met(staff, "/api/boards/", headers=cookie)
    assert met(site.visitor())
    log = site.run("cat", "/var/log/slipway/traefik/access.log")
    assert f"/slipway-staff/{TOKEN}x" in log
    assert f'/slipway-staff/{TOKEN}"' not in log
    everybody = maintenance("on", stack_staff_addresses=["0.0.0.0/0"])
    assert everybody.ok, everybody.output
    assert not met(site.visitor())
    nobody = maintenance("on", stack_staff_addresses=["192.0.2.7"])
    assert nobody.ok, nobody.output
    assert met(site.visitor())


def test_a_deploy_during_a_maintenance_succeeds_and_the_maintenance_stays(
    site: Site, maintenance: Switch
) -> None:
    assert maintenance("on").ok
    run = site.deploy(stack_version="doors", stack_environment={"BENCH_TURN": "maintenance"})
    assert run.ok, run.output
    last = site.history()[-1]
    assert last["outcome"] == "serving"
    assert last["probe"]["asked"] > 50
    assert last["probe"]["lost"] == 0
    assert met(site.visitor())
    assert maintenance("off").ok
    assert site.visitor().get("/").headers[RELEASE] == last["release"]


def test_a_stack_whose_containers_are_down_answers_the_page(site: Site, server: Any) -> None:
    names = running(server, "production")
    site.run("docker", "stop", "--time", "1", *names)
    try:
        answers = []
        bound = time.monotonic() + 8
        while time.monotonic() < bound:
            answers.append(site.visitor().get("/"))
            time.sleep(0.2)
        assert all(PAGE in one.text for one in answers)
        assert {one.status_code for one in answers} <= {502, 504}
        assert answers[-1].headers["Retry-After"] == "10"
    finally:
        site.run("docker", "start", *names)
    bound = time.monotonic() + 30
    while met(site.visitor()):
        assert time.monotonic() < bound
        time.sleep(0.5)


def test_a_stack_without_any_release_answers_the_page_on_all_its_names(
    site: Site, server: Any
) -> None:
    """Provisioned and not deployed yet: there are no routes."""
    kept = site.run("cat", site.routes)
    site.run("mv", site.routes, "/root/routes")
    try:
        time.sleep(1)
        for domain in (site.domain, "www.yourdomain.com"):
            assert met(Visitor(domain, site.port), "/any/thing")
        server.run("systemctl", "kill", "--signal=KILL", "slipway-page.service")
        assert met(site.visitor())
    finally:
        site.run("mv", "/root/routes", site.routes)
    assert site.run("cat", site.routes) == kept


def test_the_page_needs_no_engine(site: Site, server: Any, maintenance: Switch) -> None:
    assert maintenance("on").ok
    server.run("systemctl", "stop", "docker.socket", "docker.service")
    try:
        assert met(site.visitor())
    finally:
        server.run("systemctl", "start", "docker.service")
    assert maintenance("off").ok


def test_a_canary_passes_all_that_stands_before_the_application(site: Site) -> None:
    run = site.deploy(
        stack_version="doors", stack_canary=[50], stack_environment={"BENCH_TURN": "canary"}
    )
    assert run.ok, run.output
    last = site.history()[-1]
    assert last["outcome"] == "serving"
    assert last["probe"]["lost"] == 0
