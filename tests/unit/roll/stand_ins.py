"""Stand-ins for what is around a roll: Traefik, and the threads that it starts."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import yaml
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RELEASE_ID,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    read_routes,
    service_by_router,
)


class FakeTraefik(Proxy):
    """Leads visitors to where the stack's dynamic file says, once it was asked `polls` times.

    `ways` are all releases that visitors may be led to: that of the last confirmed file, and
    whatever was published since.
    """

    def __init__(self, directory: StackDirectory, events: list[str]) -> None:
        super().__init__("192.0.2.1")
        self.directory = directory
        self.events = events
        self.polls = 0
        self.errors: list[Exception] = []
        self.ways: set[str] = set()

    def published(self) -> None:
        """Note that a new file may have been taken, from now on."""
        self.ways |= self._in_file()

    def get(self, path: str) -> Any:
        self.events.append(f"confirm {self.directory.serving()}")
        if self.errors:
            raise self.errors.pop(0)
        self.polls -= 1
        if self.polls >= 0:
            return []
        self.ways = self._in_file()
        files = [self.directory.routes, self.directory.private_routes]
        return [
            {"name": f"{name}@file", "service": service, "status": "enabled"}
            for file in files
            if file.exists()
            for name, service in service_by_router(read(file.read_text())).items()
        ]

    def _in_file(self) -> set[str]:
        if not self.directory.routes.exists():
            return set()
        http = read(self.directory.routes.read_text())["http"]
        return {
            found
            for name, service in http["services"].items()
            if "loadBalancer" in service
            for found in RELEASE_ID.findall(name)[:1]
        }


def read(text: str) -> Any:
    """Read a dynamic file as Traefik does, whoever wrote it."""
    try:
        return read_routes(text)
    except ValueError:
        return yaml.safe_load(text)


class AtOnce:
    """Does what it is given before anything else goes on."""

    def __init__(self, _: int) -> None:
        pass

    def submit(self, work: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()
        try:
            work()
            future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is handed on, as by a thread
            future.set_exception(error)
        return future

    def shutdown(self, *, wait: bool) -> None:
        """Have nothing to end."""


class AtLast(AtOnce):
    """Does what it is given when somebody waits for it."""

    def submit(self, work: Callable[[], None]) -> Future[None]:
        return _Lazy(work)


class _Lazy(Future[None]):
    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.work = work

    def _do(self) -> None:
        if not self.done():
            done = AtOnce(1).submit(self.work)
            if error := done.exception():
                self.set_exception(error)
            else:
                self.set_result(None)

    def result(self, timeout: float | None = None) -> None:
        self._do()
        super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._do()
        return super().exception()
