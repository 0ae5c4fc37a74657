"""A page that was opened before a deploy, and the files that pages name."""

from __future__ import annotations

import re
from typing import Any

from bench.site import Site
from bench.visitor import Visitor
from playwright.sync_api import expect

IMMUTABLE = "public, max-age=31536000, immutable"


def assets(site: Site, visitor: Visitor) -> list[str]:
    """Return the files in the serving release's page, and those that its scripts load late."""
    page = visitor.get("/").text
    found = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    script = visitor.get(next(one for one in found if one.endswith(".js"))).text
    late = re.findall(r"assets/[A-Za-z]+-[\w-]{8}\.(?:js|css)", script)
    assert late, "the page loads a part of itself late"
    del site
    return sorted({*found, *(f"/{one}" for one in late)})


def test_page_of_the_old_release_still_loads_its_late_part_after_a_deploy(
    site: Site, old_page: Any
) -> None:
    if site.serves() == old_page.serves:
        run = site.deploy(stack_version=site.other_version())
        assert run.ok, run.output
    assert site.serves()["version"] != old_page.serves["version"]
    page = old_page.page
    assert old_page.serves["release"] in page.inner_text("footer"), "nobody reloaded it"
    page.get_by_role("button", name="Activity").click()
    expect(page.get_by_text("words so far")).to_be_visible()
    late = [name for name in old_page.loaded if "ActivityPanel" in name]
    assert {name.rpartition(".")[2] for name in late} == {"js", "css"}, old_page.loaded
    assert not set(late) & {site.address + one for one in assets(site, site.visitor())}
    assert old_page.problems == []


def test_hashed_files_are_immutable_and_the_page_is_not(site: Site) -> None:
    visitor = site.visitor()
    page = visitor.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    for path in assets(site, visitor):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, IMMUTABLE), path
    admin = visitor.get("/admin/login/").text
    hashed = re.findall(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', admin)
    assert hashed
    assert visitor.get(hashed[0]).headers["Cache-Control"] == IMMUTABLE


def test_missing_asset_is_not_found_and_nobody_may_remember_that(site: Site) -> None:
    for path in ("/assets/index-missing0.js", "/static/missing.0123456789ab.css"):
        answer = site.visitor().get(path)
        assert answer.status_code == 404, path
        assert "immutable" not in answer.headers.get("Cache-Control", ""), path
        assert "<div id=" not in answer.text, "the page never stands in for a file"
