"""One development environment for all tests here, on a copy of the sample; nothing stays of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from bench import development
from bench.browser import browser
from bench.development import Project
from playwright.sync_api import Browser, Page

PAGE = "http://localhost:3000"
API = "http://localhost:8000"


@dataclass(frozen=True)
class Copy:
    """A working copy whose environment runs."""

    project: Project
    files: frozenset[str]  # those that it began with

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.project.folder

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a file as an editor does that writes in place."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {old!r} not once"
        path.write_text(text.replace(old, new))

    def compose(self, *words: str) -> str:
        """Run a command of Compose's."""
        return self.project.compose(*words)


def eventually(happens: Callable[[], object], seconds: float = 15) -> float:
    """Ask until it has happened; return the seconds that it took."""
    began = time.monotonic()
    while True:
        try:
            if happens():
                return time.monotonic() - began
        except requests.RequestException:
            pass
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.02)


def names(folder: Path) -> frozenset[str]:
    """Return all that lies in a folder, by names relative to it."""
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*"))


def answer(address: str) -> requests.Response:
    """Ask for an address."""
    return requests.get(address, timeout=5)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Bring the environment up from nothing, and take it away with its data."""
    project = development.copy(tmp_path_factory.mktemp("example"))
    before = names(project.folder)
    down = ("down", "--volumes", "--timeout=1")
    project.compose(*down)  # what a killed run left
    try:
        project.compose("up", "--build", "--detach")
        eventually(lambda: answer(f"{PAGE}/api/boards/").ok, seconds=180)
        yield Copy(project, before)
    finally:
        project.compose(*down)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Open a browser."""
    with browser(tmp_path_factory.mktemp("browser"), "localhost") as opened:
        yield opened


@pytest.fixture
def page(copy: Copy, chromium: Browser) -> Iterator[Page]:
    """Open the page, which must not go through with an error of its own."""
    del copy
    problems: list[str] = []
    opened = chromium.new_page()
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(PAGE)
    opened.get_by_role("button", name="Activity").wait_for()
    yield opened
    opened.close()
    assert problems == []
