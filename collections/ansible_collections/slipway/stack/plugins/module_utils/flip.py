"""The flip: bring another version or configuration of Traefik before the visitors, losing nobody.

    settle → pull → start → compare → flip → drain → stop

    python3 -m ansible_collections.slipway.stack.plugins.module_utils.flip <job directory>

Until the flip, which changes one line and loads the door's rules, the active slot serves and every
failure leaves it alone. Connections that are open then stay with the old slot until they end.
Whoever ends this process at any moment leaves an active slot that serves; the next run finishes.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import credentials, door, quic
from ansible_collections.slipway.stack.plugins.module_utils.acme import (
    DEFAULT_CERTIFICATE,
    LOCALHOST,
    domains,
)
from ansible_collections.slipway.stack.plugins.module_utils.addresses import (
    door_addresses,
    door_network,
    edge_attachments,
)
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import Holder
from ansible_collections.slipway.stack.plugins.module_utils.likeness import (
    certificates,
    difference,
    picture,
)
from ansible_collections.slipway.stack.plugins.module_utils.lock import holding_slots
from ansible_collections.slipway.stack.plugins.module_utils.losses import ProbeFigures
from ansible_collections.slipway.stack.plugins.module_utils.probe import Entrance, Prober
from ansible_collections.slipway.stack.plugins.module_utils.proxy import (
    TRAEFIK_GROUP,
    Proxy,
    publish_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.record import Report
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils.retire import open_connections
from ansible_collections.slipway.stack.plugins.module_utils.routes import probe_token
from ansible_collections.slipway.stack.plugins.module_utils.slots import (
    SERVICE,
    SLOT_LABEL,
    Slots,
    Wanted,
    acme_store,
    container_name,
    look,
    slot_definition,
)
from ansible_collections.slipway.stack.plugins.module_utils.start import ENGINE_SECONDS
from ansible_collections.slipway.stack.plugins.module_utils.trial import (
    BASELINE_SECONDS,
    PROBE_LIMIT_SECONDS,
    Say,
    questions,
)

FLIP = "flip"
WEB_PORTS = (80, 443)
# A certificate that Traefik has to read, and health checks that have to come round.
READY_SECONDS = 30
KNOCK_SECONDS = 5
POLL_SECONDS = 0.2
# A first packet that was led to the old slot and got lost is sent again after a second.
QUIET_SECONDS = 2.0
LOG_LINES = 10


@dataclass(frozen=True)
class FlipJob:
    """What is to be done: `subnet` is the door's, times are in seconds, `actor` has who and run."""

    host_directory: str
    subnet: str
    wanted: Wanted
    drain_timeout: float
    probe_rate: float
    lock_wait: float
    actor: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> FlipJob:
        """Read a job from what JSON or Ansible made of it."""
        return cls(**{**values, "wanted": Wanted(**values["wanted"])})

    @property
    def directory(self) -> TraefikDirectory:
        """Where Traefik's things lie."""
        return TraefikDirectory(Path(self.host_directory))


@dataclass(frozen=True)
class TraefikDirectory:
    """Where Traefik's things lie below `host_directory`; its jobs are of no stack."""

    host: Path
    stack: str = ""

    @property
    def root(self) -> Path:
        """Traefik's own directory, with one for each slot."""
        return self.host / "traefik"

    @property
    def jobs(self) -> Path:
        """The directory with one directory for each flip."""
        return self.root / "jobs"

    def static(self, slot: str) -> Path:
        """Name the static configuration of a slot."""
        return self.root / slot / "traefik.yml"

    def serving(self) -> list[Manifest]:
        """Return the release that serves of each stack on the host."""
        stacks = sorted(path.name for path in (self.host / "stacks").glob("*"))
        found = [StackDirectory(self.host, stack) for stack in stacks]
        return [one.manifest(release) for one in found if (release := one.serving())]


class Flip:
    """One flip; whoever runs it holds the slots."""

    def __init__(self, job: FlipJob, engine: Engine, *, say: Say, clock: Clock) -> None:
        """Bring the parts together; nothing is touched before `run`."""
        self.job = job
        self.directory = job.directory
        self.engine = engine
        self.say = say
        self.clock = clock

    def run(self) -> Report:
        """Make what is wanted serve, and take what is left of earlier flips away."""
        self.report = Report(FLIP, None, "", "", {SERVICE: self.job.wanted.image})
        self.serving = [one for one in self.directory.serving() if one.domain]
        with self._probing() as probers:
            with self._phase("settle"):
                self._settle()
            if not self.slots.has(self.job.wanted, self.engine):
                self._bring()
            with self._phase("drain"):
                self._drain()
            with self._phase("stop"):
                self._remove(self.slots.others)
                credentials.keep_only(self.directory.root, self.job.wanted.credentials)
        counted = [one.figures() for one in probers]
        self.report.probe = summed(counted)
        self.report.lost = [loss for figure in counted for loss in figure.losses]
        active = self._look()
        self.report.new = f"slot {active.active}"
        self.report.version = str(Proxy(active.address).get("/api/version").get("Version", ""))
        return self.report

    def _settle(self) -> None:
        """Have the kernel obey the record, and take away what an earlier flip left."""
        slots = self._look()
        if not slots.led:
            door.load()
        if slots.others:
            self._drain()
            self._remove(slots.others)
        self._look()
        if self.slots.running:
            self.report.old = f"slot {self.slots.active}"

    # bring ------------------------------------------------------------------------------------

    def _bring(self) -> None:
        """Start what is wanted, beside what serves if anything does, and lead visitors there."""
        slots = self.slots
        slot = slots.idle if slots.running else slots.active
        addresses = self._addresses(slot)
        try:
            with self._phase("pull"):
                self.engine.pull([self.job.wanted.image])
            with self._phase("start"):
                self._start(slot)
            with self._phase("compare"):
                self._compare(slot, Proxy(addresses[0]))
            with self._phase(FLIP):
                self.engine.run("update", "--restart=unless-stopped", container_name(slot))
                self._lead(slots.recorded, addresses)
        except ReleaseError as error:
            raise ReleaseError(f"{error}\n{self._give_up(slot)}") from error
        if slots.running:
            self.engine.run("update", "--restart=no", container_name(slots.active))
        if self.job.wanted.acme:
            self._announce(slot)
        self._look()

    def _start(self, slot: str) -> None:
        """Write the slot's files and start its container."""
        job, engine = self.job, self.engine
        edges = edge_attachments(engine.all_networks(), slot)
        definition = slot_definition(job.wanted, slot, self.directory.root, job.subnet, edges)
        static = self.directory.static(slot)
        write_atomically(static, job.wanted.static, mode=0o640, group=TRAEFIK_GROUP)
        text = json.dumps(definition, indent=2) + "\n"
        write_atomically(static.parent / "compose.yml", text, mode=0o640)
        self._remove([one for one in [self.slots.container] if one and not self.slots.running])
        self._hand_certificates_over(slot)
        engine.create(static.parent, [SERVICE], ENGINE_SECONDS)
        engine.start(container_name(slot), ENGINE_SECONDS)

    def _hand_certificates_over(self, slot: str) -> None:
        """Give the new slot a copy of what the CA issued; it has none of an earlier life."""
        self.handed = self._issued()
        if slot != self.slots.active:
            store = acme_store(self.directory.root, slot)
            store.unlink(missing_ok=True)
            if self.handed:
                owner = TRAEFIK_GROUP
                write_atomically(store, self.handed, mode=0o600, owner=owner, group=owner)

    def _issued(self) -> str:
        """Read what the CA has issued to the active slot."""
        try:
            return acme_store(self.directory.root, self.slots.active).read_text()
        except FileNotFoundError:
            return ""

    def _compare(self, slot: str, new: Proxy) -> None:
        """Wait until the new slot serves what the old one serves, certificates too."""
        names = domains(self.directory.root / "dynamic")
        old = Proxy(self.slots.address) if self.slots.running else None
        if old and (problem := unreachable(old)):
            self.say("compare", "note", f"The old slot cannot be compared with: {problem}")
            old = None
        bound = self.clock.now() + READY_SECONDS
        while missing := self._missing(new, old, names):
            if not self._runs(slot):
                raise ReleaseError(f"Traefik ended in slot {slot}.\n{self._last_lines(slot)}")
            if self.clock.now() > bound:
                raise ReleaseError(
                    f"Traefik in slot {slot} does not serve what it should within {READY_SECONDS} "
                    f"seconds: {missing}.\n{self._last_lines(slot)}"
                )
            self.clock.pause(POLL_SECONDS)

    def _missing(self, new: Proxy, old: Proxy | None, names: list[str]) -> str:
        """Say what is still amiss in the new slot, or nothing."""
        try:
            found = picture(new)
            short = difference(picture(old), found) if old else ""
        except ReleaseError as error:
            return str(error)
        if short:
            return short
        if old:
            here, there = certificates(old.address, names), certificates(new.address, names)
            wrong = [
                name
                for name in names
                if here[name] != there[name] and not self._begins_anew(there[name])
            ]
            if wrong:
                return f"it shows another certificate than slot {self.slots.active}, for {wrong[0]}"
        return ""

    def _begins_anew(self, shown: bytes) -> bool:
        """Tell whether a certificate is missing because the operator has taken the store away.

        Who leaves a CA does that; the other one issues as soon as the new slot is active.
        """
        return self.job.wanted.acme and not self.handed and shown == DEFAULT_CERTIFICATE

    def _lead(self, old: Sequence[str], new: Sequence[str]) -> None:
        """Flip; flip back if nobody answers at the door, on IPv4 or on IPv6."""
        names = domains(self.directory.root / "dynamic")
        if self._issued() != self.handed:
            raise ReleaseError(
                "A certificate was issued while the new slot started, which lacks it. "
                "Run this again."
            )
        door.lead_to(new)
        bound = self.clock.now() + KNOCK_SECONDS
        while astray := self._astray(new[0], names):
            if self.clock.now() > bound:
                door.lead_to(old)
                raise ReleaseError(
                    f"The door does not lead from {' and '.join(astray)} to the new slot "
                    f"({', '.join(new)}), so it leads to {', '.join(old)} again. See 'nft list "
                    f"table ip slipway' on the host, and 'ip6' for IPv6."
                )
            self.clock.pause(POLL_SECONDS)

    def _astray(self, slot: str, names: list[str]) -> list[str]:
        """Name the host's own addresses that do not show what the slot shows, as it is now.

        It changes meanwhile where the slot gets its first certificates.
        """
        wanted = certificates(slot, names)
        return [one for one in self._own() if certificates(one, names) != wanted]

    def _own(self) -> list[str]:
        """Name an address of the host itself for each family of the door.

        The kernel does not translate what is sent to ::1.
        """
        door_itself = door_network(self.job.subnet, self.job.wanted.subnet_v6)
        return [one for one in (LOCALHOST, door_itself.gateway_v6) if one]

    def _give_up(self, slot: str) -> str:
        """Remove what did not come up; say what serves."""
        left = self._look()
        if slot != left.active:
            self._remove(left.others)
        serves = f"Slot {left.active} serves as before." if left.running else "Nothing serves."
        return f"{serves} If traefik_image or traefik_options was changed last, look there."

    def _announce(self, slot: str) -> None:
        """Have Traefik look at its domains again: until it was active it could ask no CA.

        It looks when its dynamic configuration has changed.
        """
        header = {"X-Slipway-Slot": slot}
        middleware = {"headers": {"customRequestHeaders": header}}
        change = {"http": {"middlewares": {"slipway-slot": middleware}}}
        text = f"# The active slot; a flip writes it.\n---\n{json.dumps(change)}\n"
        publish_routes(self.directory.root / "dynamic" / "slot.yml", text)

    # retire -----------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Wait until no visitor's connection to an old slot is open, up to the bound."""
        old = [one for one in self.slots.others if one["State"]["Running"]]
        bound = self.clock.now() + self.job.drain_timeout
        used = self.clock.now()
        while old and (now := self.clock.now()) < bound and now - used < QUIET_SECONDS:
            if any(self._visited(one) for one in old):
                used = now
            self.clock.pause(POLL_SECONDS)

    def _visited(self, container: dict[str, Any]) -> bool:
        """Tell whether a slot's container has a visitor's connection."""
        pid = container["State"]["Pid"]
        return any(open_connections(pid, port) for port in WEB_PORTS) or bool(
            quic.open_connections(self._addresses(container["Config"]["Labels"][SLOT_LABEL]))
        )

    def _remove(self, containers: list[dict[str, Any]]) -> None:
        """Stop containers, which finish what they have begun, and remove them."""
        for one in containers:
            grace = one["Config"].get("StopTimeout") or 0
            self.engine.stop(one["Id"], timeout=grace + ENGINE_SECONDS)
            self.engine.remove(one["Id"])
            quic.forget(self._addresses(one["Config"]["Labels"][SLOT_LABEL]))

    # parts ------------------------------------------------------------------------------------

    def _addresses(self, slot: str) -> tuple[str, ...]:
        return door_addresses(self.job.subnet, self.job.wanted.subnet_v6, slot)

    def _look(self) -> Slots:
        self.slots = look(self.engine, self.job.subnet)
        return self.slots

    def _runs(self, slot: str) -> bool:
        return any(one["State"]["Running"] for one in self.engine.inspect([container_name(slot)]))

    def _last_lines(self, slot: str) -> str:
        name = container_name(slot)
        return f"Last lines of {name}:\n{self.engine.logs(name, LOG_LINES) or '(it wrote nothing)'}"

    @contextmanager
    def _probing(self) -> Iterator[list[Prober]]:
        """Ask for every stack at the public entry point all through the block."""
        key = self.directory.host / "key"
        probers = [
            Prober(
                Entrance(
                    LOCALHOST, WEB_PORTS[1], one.domain, probe_token(key.read_bytes(), one.stack)
                ),
                questions(one),
                rate=self.job.probe_rate,
                clock=self.clock,
            )
            for one in self.serving
        ]
        with ExitStack() as ends:
            for prober in probers:
                prober.baseline(BASELINE_SECONDS)
                ends.callback(prober.end)
                prober.begin(PROBE_LIMIT_SECONDS)
            yield probers

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return self.report.phase(name, self.say, self.clock)


def unreachable(proxy: Proxy) -> str:
    """Say why a Traefik's API does not answer, or nothing."""
    try:
        proxy.get("/api/version")
    except ReleaseError as error:
        return str(error)
    return ""


def summed(figures: list[ProbeFigures]) -> dict[str, Any]:
    """Add up what several probers counted."""
    return {
        "asked": sum(one.asked for one in figures),
        "lost": sum(one.lost for one in figures),
        "slowest": max((one.slowest for one in figures), default=0.0),
    }


def perform(job: FlipJob, say: Say, clock: Clock) -> dict[str, Any]:
    """Do the job while holding the slots; ReleaseError when it is refused or failed."""
    holder = Holder("change of Traefik", who=job.actor.get("who", ""), run=job.actor.get("run", ""))
    say("lock", "begin")
    with holding_slots(
        job.directory.host / "stacks",
        holder,
        wait=job.lock_wait,
        clock=clock,
        progress=lambda text: say("lock", "note", text),
    ):
        say("lock", "end")
        report = asdict(Flip(job, Engine(), say=say, clock=clock).run())
    message = "\n".join(f"The prober lost: {one}" for one in report["lost"])
    return {"ok": not message, "message": message, "report": report}


def main(path: str) -> None:
    """Do the job and write down how it ended."""
    place = JobDirectory(Path(path))
    try:
        result = perform(FlipJob.from_mapping(place.content()), place.say, Clock())
    except (ReleaseError, OSError, ValueError) as error:
        result = {"ok": False, "message": str(error)}
    except Exception:
        text = f"Slipway itself failed:\n{traceback.format_exc()}"
        place.finish({"ok": False, "message": text})
        raise
    place.finish(result)


if __name__ == "__main__":
    main(sys.argv[1])
