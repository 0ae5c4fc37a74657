"""Staging is not for the public, and is deployed to all the same."""

from __future__ import annotations

from bench.site import Site

PASSWORD = ("team", "the password of staging")


def test_staging_moves_in(staging: Site) -> None:
    run = staging.environment.playbook("playbooks/site.yml", stack_version="doors")
    assert run.ok, run.output


def test_staging_asks_for_a_password_and_stays_out_of_search_engines(staging: Site) -> None:
    refused = staging.visitor().get("/")
    assert refused.status_code == 401
    answer = staging.visitor().get("/", auth=PASSWORD)
    assert answer.status_code == 200
    for one in (refused, answer):
        assert one.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_an_address_list_takes_the_place_of_a_password(staging: Site) -> None:
    run = staging.deploy(
        stack_version="doors", stack_basic_auth={}, stack_allowed_addresses=["192.0.2.0/24"]
    )
    assert run.ok, run.output
    probe = staging.history()[-1]["probe"]
    assert probe["asked"] > 50
    assert probe["lost"] == 0
    assert staging.visitor().get("/").status_code == 403
    run = staging.deploy(
        stack_version="doors", stack_basic_auth={}, stack_allowed_addresses=["0.0.0.0/0"]
    )
    assert run.ok, run.output
    assert staging.visitor().get("/").status_code == 200
