"""What visitors get from the production inventory, on a host that was bare a few minutes ago."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from bench.visitor import Visitor


def test_page_loads_over_https_with_a_certificate_that_the_visitor_trusts(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer.status_code == 200
    assert "<div id=" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"


def test_hashed_asset_is_immutable_and_a_missing_one_is_a_404(visitor: Visitor) -> None:
    found = re.search(r'src="(/assets/[^"]+\.js)"', visitor.get("/").text)
    assert found
    asset = visitor.get(found.group(1))
    assert asset.status_code == 200
    assert "immutable" in asset.headers["Cache-Control"]
    assert visitor.get("/assets/never-built.js").status_code == 404


def test_deep_link_of_the_single_page_application_gets_the_page(visitor: Visitor) -> None:
    assert visitor.get("/boards/1").status_code == 200


def test_note_that_is_written_is_read_again(visitor: Visitor) -> None:
    visitor.get("/api/boards/")
    visitor.write_note("a note of the serving tests")
    assert "a note of the serving tests" in visitor.notes()


def test_admin_comes_with_its_collected_static_files(visitor: Visitor) -> None:
    page = visitor.get("/admin/login/")
    assert page.status_code == 200
    found = re.search(r'href="(/static/admin/css/base\.[0-9a-f]+\.css)"', page.text)
    assert found, "the admin's style sheet has a hashed name"
    assert visitor.get(found.group(1)).status_code == 200


def test_version_names_the_release_that_answered(visitor: Visitor) -> None:
    answer = visitor.get("/version")
    assert answer.json()["release"] == answer.headers["X-Slipway-Release"]


def test_plain_http_is_sent_to_https() -> None:
    answer = requests.get(
        "http://127.0.0.1:8502/",
        headers={"Host": "yourdomain.com"},
        allow_redirects=False,
        timeout=15,
    )
    assert answer.status_code in {301, 308}
    assert answer.headers["Location"].startswith("https://yourdomain.com")


@pytest.mark.parametrize("path", ["/api/overview", "/metrics", "/ping", "/dashboard/"])
def test_traefik_s_own_pages_are_not_for_visitors(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert "X-Slipway-Release" in answer.headers, "the application answers, not Traefik"


def test_unknown_host_name_reaches_no_stack(server: Any) -> None:
    del server
    answer = requests.get(
        "https://127.0.0.1:8501/",
        headers={"Host": "unknown.example.com"},
        verify=False,  # noqa: S501 - there is no certificate for a name that nobody has
        timeout=15,
    )
    assert answer.status_code == 404
