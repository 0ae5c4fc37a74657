"""A host on which one release serves and another is prepared, and fakes of what is around it."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import (
    handover,
    release,
    retire,
    start,
    switch,
)
from ansible_collections.slipway.stack.plugins.module_utils.definition import Release
from ansible_collections.slipway.stack.plugins.module_utils.job import DEPLOY, Job, Policy
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    manifest_services,
    stack_containers,
    taken_over,
)
from ansible_collections.slipway.stack.plugins.module_utils.probe import ProbeFigures
from ansible_collections.slipway.stack.plugins.module_utils.proxy import publish_routes
from ansible_collections.slipway.stack.plugins.module_utils.record import Report
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    Manifest,
    ReleaseError,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils.roll import Roll
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    public_routes,
    routes_text,
)
from ansible_collections.slipway.stack.plugins.module_utils.start import containers_of, routed
from ansible_collections.slipway.stack.plugins.module_utils.trial import Trial

from tests.unit.release.fake_engine import FakeEngine
from tests.unit.release.fakes import (
    DIGESTS,
    NEW,
    OLD,
    STACK,
    FakeTime,
    manifest,
    model,
    provisioned,
    written,
)
from tests.unit.roll.stand_ins import AtOnce, FakeTraefik

OLD_IMAGES = {name: image.replace("sha256:", "sha256:0") for name, image in DIGESTS.items()}
SCHEDULER = {
    "image": "registry.example.com/shop/backend",
    "uid": 10001,
    "singleton": True,
    "command": ["tick"],
}
POLICY = Policy(
    drain_timeout=30,
    keep=5,
    soak_seconds=30,
    soak_max_error_percent=2,
    soak_max_p95=2.0,
    probe_rate=10,
    probe_max_lost=0,
    canary=[],
    lock_wait=0,
)
COMMANDS = {"before": [{"name": "migrate", "timeout": 600}], "after": []}


class KilledError(BaseException):
    """The host-side process is killed here; nothing of it runs any more."""


class FakeTrial(Trial):
    """Finds what a test wants it to, by the phase in which it is asked."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.bad: dict[str, str] = {}
        self.expected: list[str | None] = []
        self.probed: list[tuple[str, str | None]] = []
        self.counted = ProbeFigures(asked=100, lost=0, slowest=0.2)
        self.lost: list[str] = []

    @contextmanager
    def probing(self, new: Manifest, old: Manifest | None) -> Iterator[None]:
        self.probed.append((new.id, old.id if old else None))
        yield

    def await_baseline(self) -> None:
        self.stage.events.append("baseline")

    def smoke(self, new: Manifest) -> None:
        self._judge()

    def compare(self, old: Manifest | None) -> None:
        self.stage.events.append(f"compare {old.id if old else None}")

    def narrow(self, new: Manifest) -> None:
        self.stage.events.append(f"narrow to {new.id}")

    def expect(self, release: Manifest | None) -> None:
        self.expected.append(release.id if release else None)

    def watch(self, seconds: float, *, also: Callable[[], None]) -> None:
        self.stage.events.append(f"watch {seconds}")
        also()
        self._judge()
        self.stage.time.pause(seconds)
        also()

    def judge_probe(self) -> None:
        self._judge()

    def lost_after_all(self) -> list[str]:
        return self.lost

    def figures(self) -> ProbeFigures:
        return self.counted

    def _judge(self) -> None:
        if reason := self.bad.get(self.stage.phase):
            raise ReleaseError(reason)


class Stage:
    """A host on which OLD serves and NEW is prepared, and everything around it.

    `moments` collects all that the process says and does; it is killed at the one of the number
    `last_moment`. After each of them whoever visitors may be led to has to be there.
    """

    def __init__(self, host: Path) -> None:
        self.directory = provisioned(host)
        self.engine = FakeEngine(self.directory)
        self.engine.step = self.step
        self.events = self.engine.events
        self.proxy = FakeTraefik(self.directory, self.events)
        self.time = FakeTime()
        self.trial = FakeTrial(self)
        self.missing: dict[str, str] = {}  # what a container's health check says, by its name
        self.open: list[int] = []  # connections to the old release, reading after reading
        self.said: list[tuple[str, str, str]] = []
        self.phase = ""
        self.moments: list[str] = []
        self.last_moment: int | str | None = None
        self.routed: dict[str, set[str]] = {}  # the containers that answer visitors, by release
        self.old = self.prepare(OLD, bank=1, images=OLD_IMAGES, outcome=SERVING)
        self.new = self.prepare(NEW)
        self.serve(OLD)
        self.engine.add_release(self.old)

    # what a test prepares -----------------------------------------------------------------------

    def prepare(
        self,
        release_id: str,
        bank: int = 2,
        rotates: tuple[Manifest, set[str]] | None = None,
        **changes: Any,
    ) -> Manifest:
        """Put a release on the host as release_roll writes it.

        `rotates` has the release that a rotation keeps, and the services whose secrets it changes.
        """
        whole = model(services=model()["services"] | {"scheduler": SCHEDULER})
        services = manifest_services(whole, release_id, bank)
        if rotates:
            kept, readers = rotates
            services |= taken_over(kept, services, readers, stack_containers(self.engine, STACK))
        one = written(self.directory, manifest(release_id, bank=bank, services=services, **changes))
        routes = public_routes(whole, Release.from_mapping(asdict(one)))
        path = self.directory.release(release_id) / "routes.yml"
        path.write_text(routes_text(release_id, routes))
        self.routed[release_id] = set(containers_of(one, routed(one)))
        return one

    def serve(self, release_id: str) -> None:
        """Have a release serve, and Traefik know it."""
        text = (self.directory.release(release_id) / "routes.yml").read_text()
        self.directory.routes.write_text(text)
        self.proxy.ways = {release_id}

    def nothing_serves(self) -> None:
        """Make it the stack's first release."""
        self.engine.there.clear()
        self.directory.routes.unlink()
        self.proxy.ways = set()
        path = self.directory.release(OLD)
        path.rename(self.directory.root / "gone")

    def job(self, release_id: str = NEW, **changes: Any) -> Job:
        policy = {name: changes.pop(name) for name in list(changes) if hasattr(POLICY, name)}
        values: dict[str, Any] = {
            "action": DEPLOY,
            "stack": STACK,
            "release": release_id,
            "expected": self.directory.serving(),
            "host_directory": str(self.directory.host),
            "policy": replace(POLICY, **policy),
            "commands": COMMANDS,
            "actor": {"who": "ada", "run_number": 7},
        }
        return Job(**(values | changes))

    def roll(self, release_id: str = NEW, **changes: Any) -> Report:
        return Roll(
            self.job(release_id, **changes),
            self.engine,
            self.proxy,
            self.trial,
            say=self.say,
            clock=self.time.clock(),
        ).run()

    # what is patched in, see conftest.py --------------------------------------------------------

    def answer(
        self,
        engine: FakeEngine,
        state: dict[str, Any],
        service: dict[str, Any],
        address: str | None,
    ) -> str:
        container = state["Name"].lstrip("/")
        self.events.append(f"probe {container}")
        return self.missing.get(container, "")

    def connections(self, pid: int, port: int) -> int:
        self.events.append("gauge")
        return self.open.pop(0) if self.open else 0

    def publish(self, path: Path, text: str) -> None:
        self.step(f"before {path.name}")
        publish_routes(path, text)
        private = path == self.directory.private_routes
        self.events.append(f"{'private' if private else 'switch'} {self.directory.serving()}")
        self.proxy.published()
        self.step(f"after {path.name}")

    def write(self, path: Path, text: str, **how: Any) -> None:
        self.step(f"before {path.name}")
        write_atomically(path, text, **how)
        self.step(f"after {path.name}")

    # what is watched ----------------------------------------------------------------------------

    def say(self, phase: str, event: str, text: str = "", seconds: float | None = None) -> None:
        self.said.append((phase, event, text))
        self.phase = phase
        self.step(f"{phase} {event}")

    def step(self, moment: str) -> None:
        """Be somewhere: look whether all is well, and die if it is time to."""
        if self.last_moment == "over":
            raise KilledError
        self.look()
        self.moments.append(moment)
        if self.last_moment in {moment, len(self.moments)}:
            self.last_moment = "over"
            raise KilledError(moment)

    def look(self) -> None:
        """Whoever a visitor may be led to is there; a singleton is never there twice."""
        running = self.engine.running()
        for way in self.proxy.ways:
            gone = self.routed[way] - running
            assert not gone, f"visitors are led to {gone} after {self.moments[-5:]}"
        twice = [name for name in running if "-scheduler-" in name]
        assert len(twice) <= 1, f"{twice} run after {self.moments[-5:]}"

    def containers(self, release_id: str) -> list[str]:
        return [name for name in self.engine.names() if release_id in name]

    def phases(self) -> list[str]:
        """Return the phases that ended well."""
        return [phase for phase, event, _ in self.said if event == "end"]

    def history(self) -> list[dict[str, Any]]:
        lines = self.directory.history.read_text().splitlines()
        return [json.loads(line) for line in lines]


def staged(host: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce] = AtOnce) -> Stage:
    """Build the stage and patch it in; `pool` says when the handover happens."""
    for name in ("chown", "fchown", "fsync"):
        monkeypatch.setattr(os, name, lambda *_: None)
    stage = Stage(host)
    monkeypatch.setattr(start, "answer", stage.answer)
    monkeypatch.setattr(retire, "open_connections", stage.connections)
    monkeypatch.setattr(switch, "publish_routes", stage.publish)
    monkeypatch.setattr(release, "write_atomically", stage.write)
    monkeypatch.setattr(handover, "ThreadPoolExecutor", pool)
    return stage
