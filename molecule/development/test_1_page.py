"""What a browser finds at both ports, and how fast an edit shows there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from bench.engine import docker
from playwright.sync_api import Browser, Page, expect

from .conftest import API, PAGE, Copy, answer, eventually

# Seconds in which an edit has to show, on a machine that has other work as well.
SOON = 5


def boards() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(f"{API}/api/boards/").json()["boards"]
    return found


def activity() -> dict[str, Any]:
    found: dict[str, Any] = answer(f"{API}/api/boards/{boards()[0]['id']}/activity/").json()
    return found


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Note").fill(text)
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("listitem").filter(has_text=text)).to_be_visible()


def write_by_api(text: str) -> None:
    """Write a note; raises RequestException while Django starts over."""
    session = requests.Session()
    board = session.get(f"{API}/api/boards/", timeout=5).json()["boards"][0]["id"]
    headers = {"X-CSRFToken": str(session.cookies["csrftoken"]), "Origin": API}
    session.post(
        f"{API}/api/boards/{board}/notes/", json={"text": text}, headers=headers, timeout=5
    ).raise_for_status()


def test_page_shows_the_seeded_notes_that_the_api_has(page: Page, chromium: Browser) -> None:
    expect(page.get_by_text("Let a note be pinned to the top")).to_be_visible()
    direct = chromium.new_page()
    direct.goto(f"{API}/api/boards/")
    assert [one["notes"] for one in json.loads(direct.inner_text("body"))["boards"]] == [2, 2, 2]
    direct.close()


@pytest.mark.parametrize("address", [PAGE, API])
def test_admin_lets_the_seeded_admin_in_at_both_ports(
    address: str, copy: Copy, chromium: Browser
) -> None:
    del copy
    page = chromium.new_page()
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(f"{address}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    assert page.url == f"{address}/admin/"
    assert failed == []
    page.close()


def test_note_written_on_the_page_is_kept_and_counted_by_the_worker(page: Page) -> None:
    before = activity()["notes"]
    write(page, "written while developing")
    page.reload()
    expect(page.get_by_text("written while developing")).to_be_visible()
    eventually(lambda: activity()["notes"] == before + 1)


def test_edited_component_shows_and_the_page_keeps_what_was_typed(
    page: Page, copy: Copy, tell: Callable[[str], None]
) -> None:
    page.get_by_role("textbox", name="Note").fill("half a sentence")
    copy.edit("frontend/src/App.tsx", "<h1>Boards</h1>", "<h1>Walls</h1>")
    heading = page.get_by_role("heading", name="Walls")
    seconds = eventually(heading.is_visible, seconds=SOON)
    tell(f"an edited component shows after {seconds:.2f} s")
    assert page.get_by_role("textbox", name="Note").input_value() == "half a sentence"


def test_edited_style_shows(page: Page, copy: Copy, tell: Callable[[str], None]) -> None:
    style = copy.folder / "frontend/src/style.css"
    style.write_text(style.read_text() + "\nh1 { letter-spacing: 7px; }\n")
    spacing = "getComputedStyle(document.querySelector('h1')).letterSpacing"
    seconds = eventually(lambda: page.evaluate(spacing) == "7px", seconds=SOON)
    tell(f"an edited style shows after {seconds:.2f} s")


def test_edited_view_shows_at_both_ports(copy: Copy, tell: Callable[[str], None]) -> None:
    view = "backend/boards/views.py"
    copy.edit(view, '{"boards": list(boards)}', '{"boards": list(boards), "edited": 1}')
    seconds = eventually(lambda: "edited" in answer(f"{API}/api/boards/").json(), seconds=SOON)
    tell(f"an edited view shows after {seconds:.2f} s")
    assert answer(f"{PAGE}/api/boards/").json()["edited"] == 1


def test_view_that_does_not_parse_is_mended_by_an_edit_alone(copy: Copy) -> None:
    view, line = "backend/boards/views.py", "from boards.models import Board\n"

    def refused() -> bool:
        try:
            return not answer(f"{API}/api/boards/").ok
        except requests.ConnectionError:
            return True

    copy.edit(view, line, f"{line}def broken(:\n")
    eventually(refused)
    copy.edit(view, "def broken(:\n", "")
    eventually(lambda: answer(f"{API}/api/boards/").ok)


def test_worker_takes_edited_code(copy: Copy, tell: Callable[[str], None]) -> None:
    started = json.loads(copy.compose("ps", "--format=json", "worker"))["ID"]
    before = activity()["words"]
    copy.edit("backend/activity/words.py", "len(WORD.findall(text))", "1000")

    def counts_anew() -> bool:
        write_by_api("one more")
        return bool(activity()["words"] >= before + 1000)

    seconds = eventually(counts_anew)
    tell(f"the worker counts by edited code after {seconds:.2f} s")
    assert started == json.loads(copy.compose("ps", "--format=json", "worker"))["ID"]


def test_only_this_machine_reaches_the_ports(copy: Copy) -> None:
    running = copy.compose("ps", "--quiet").split()
    bindings = [
        (binding["HostIp"], binding["HostPort"])
        for container in json.loads(docker("inspect", *running))
        for found in container["HostConfig"]["PortBindings"].values()
        for binding in found
    ]
    assert sorted(bindings) == [("127.0.0.1", port) for port in ("15432", "3000", "8000")]
