"""A person's browser: trusts the bench's authority, writes a note, reloads and sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bench.ca import AUTHORITY
from bench.engine import install_packages
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP yourdomain.com 127.0.0.1",
]


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    """Have a browser, and the program that fills its certificate store."""
    if not (Path(CHROMIUM).exists() and shutil.which("certutil")):
        install_packages("chromium", "libnss3-tools")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a home directory whose certificate store trusts the bench's authority."""
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    subprocess.run(["certutil", "-N", "--empty-password", "-d", database], check=True)
    subprocess.run(
        ["certutil", "-A", "-n", "bench", "-t", "C,,", "-i", str(AUTHORITY), "-d", database],
        check=True,
    )
    return tmp_path


def test_note_written_in_the_browser_is_there_after_a_reload(home: Path) -> None:
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=OPTIONS, env=environment
        )
        page = browser.new_page()
        page.goto("https://yourdomain.com:8501/")
        page.get_by_role("textbox", name="Note").fill("written in a browser")
        page.get_by_role("button", name="Add note").click()
        expect(page.get_by_text("written in a browser")).to_be_visible()
        page.reload()
        expect(page.get_by_text("written in a browser")).to_be_visible()
        browser.close()
