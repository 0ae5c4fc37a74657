"""A person's browser: Chromium with an empty profile, which trusts the bench's authority."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from bench.ca import AUTHORITY, read_authority
from bench.engine import install_packages
from bench.shell import run

CHROMIUM: Final = "/usr/bin/chromium"
OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def browser(home: Path, domain: str) -> Iterator[Browser]:
    """Open a browser to which the domain is this machine; `home` is an empty directory."""
    if not (Path(CHROMIUM).exists() and shutil.which("certutil")):
        install_packages("chromium", "libnss3-tools")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    read_authority()
    run(["certutil", "-N", "--empty-password", "-d", database])
    run(["certutil", "-A", "-n", "bench", "-t", "C,,", "-i", AUTHORITY, "-d", database])
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    resolve = f"--host-resolver-rules=MAP {domain} 127.0.0.1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*OPTIONS, resolve], env=environment
        )
        try:
            yield chromium
        finally:
            chromium.close()
