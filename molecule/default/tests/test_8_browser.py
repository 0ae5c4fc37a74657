"""A person's browser: trusts the bench's authority, writes a note, reloads and sees it."""

from __future__ import annotations

from pathlib import Path

from bench.browser import browser
from playwright.sync_api import expect


def test_note_written_in_the_browser_is_there_after_a_reload(tmp_path: Path) -> None:
    with browser(tmp_path, "yourdomain.com") as chromium:
        page = chromium.new_page()
        page.goto("https://yourdomain.com:8501/")
        page.get_by_role("textbox", name="Note").fill("written in a browser")
        page.get_by_role("button", name="Add note").click()
        expect(page.get_by_text("written in a browser")).to_be_visible()
        page.reload()
        expect(page.get_by_text("written in a browser")).to_be_visible()
