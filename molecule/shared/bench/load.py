"""Steady load from outside: every request is asked once, and counted as answered or lost.

Open loop: a late answer does not delay the next question. Half of the requests come on new
connections. Bounded: ends with its block, or after LIMIT_SECONDS.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import requests

from bench.visitor import Visitor

LIMIT_SECONDS: Final = 300
WORKERS: Final = 32
PATHS: Final = ("/", "/api/boards/", "/version")


@dataclass
class Load:
    """Asks for the visitor's paths at a steady rate while its block runs."""

    visitor: Visitor
    per_second: int
    answered: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to ask, and wait for the answers that are under way."""
        self._ending.set()
        self._thread.join()

    def summary(self) -> str:
        """Say how many were answered and lost, and what the first lost ones met."""
        return f"{len(self.answered)} answered, {len(self.lost)} lost: {self.lost[:5]}"

    def _run(self) -> None:
        begun = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            for number in range(LIMIT_SECONDS * self.per_second):
                wait = begun + number / self.per_second - time.monotonic()
                if self._ending.wait(max(wait, 0)):
                    return
                pool.submit(self._ask, number)

    def _ask(self, number: int) -> None:
        path = PATHS[number % len(PATHS)]
        begun = time.monotonic()
        try:
            # Half close their connection; urllib3 retries nothing unless told to.
            headers = {"Connection": "close"} if number % 2 else {}
            status = self.visitor.get(path, headers=headers).status_code
        except requests.RequestException as error:
            self.lost.append(f"{path}: {error}")
            return
        if status == requests.codes.ok:
            self.answered.append(time.monotonic() - begun)
        else:
            self.lost.append(f"{path}: {status}")
