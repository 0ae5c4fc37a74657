"""Who may change what at the same time.

One deploy or rollback for each stack, several stacks beside each other, and provisioning alone. A
deploy or rollback shares the host's lock and holds its stack's alone; provisioning holds the host's
alone. All are locks of the kernel's: see kernel_lock.py.

Provisioning starts the flip of Traefik's slots, which goes on when provisioning is killed. So it
holds a lock of its own alone, which deploys and rollbacks share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils import kernel_lock
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import (
    BusyError,
    Holder,
    Wanted,
    held_by,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)

__all__ = [
    "HOST_LOCK",
    "Holder",
    "OvertakenError",
    "StackBusyError",
    "StalePlanError",
    "busy_message",
    "held_by",
    "holding",
    "holding_host",
    "holding_slots",
    "older_run_refusal",
    "sharing_slots",
]

# Below /run: that is there before a host is provisioned, and ends with the kernel that locks.
HOST_LOCK = Path("/run/slipway/host.lock")


class StackBusyError(ReleaseError):
    """The stack or its host is held; `by` is a clause: who holds what, since when, doing what."""

    def __init__(self, message: str, by: str) -> None:
        """Keep what a message to whoever waits is made of."""
        super().__init__(message)
        self.by = by


class OvertakenError(ReleaseError):
    """A newer run of the pipeline has deployed already: the older one has nothing left to do."""


class StalePlanError(ReleaseError):
    """Another deploy ended between a plan and its roll: what is still wanted is planned anew."""


@contextmanager
def holding(
    directory: StackDirectory,
    holder: Holder,
    *,
    wait: float,
    clock: Clock,
    progress: Callable[[str], None],
) -> Iterator[None]:
    """Hold the stack alone, and the host against provisioning, for a deploy or a rollback.

    Waits up to `wait` seconds and says through `progress` for whom. StackBusyError says who held
    it, since when, from which CI run and doing what. The holder's `since` and `stack` are set here.
    """
    if not directory.root.is_dir():
        raise ReleaseError(
            f"This host is not provisioned for the stack '{directory.stack}': {directory.root} is "
            f"missing. Run playbooks/provision.yml with the same inventory first."
        )
    wanted = [
        Wanted(HOST_LOCK, alone=False),
        Wanted(slots_lock(), alone=False),
        Wanted(directory.lock, alone=True),
    ]
    held = replace(holder, stack=directory.stack)
    busy = f"The stack '{directory.stack}' is"
    try:
        with _holding(wanted, held, busy, wait=wait, clock=clock, progress=progress):
            yield
    except FileNotFoundError as gone:
        if directory.root.is_dir():
            raise
        raise ReleaseError(
            f"The stack '{directory.stack}' was removed while this waited; nothing was changed. If "
            f"it is still wanted, bring it up again: playbooks/site.yml, or playbooks/preview.yml."
        ) from gone


def holding_slots(
    stacks: Path,
    holder: Holder,
    *,
    wait: float,
    clock: Clock,
    progress: Callable[[str], None],
) -> AbstractContextManager[None]:
    """Hold Traefik's slots alone, so that no deploy or rollback is under way during a flip.

    `stacks` is the directory with one for each stack. Otherwise as `holding`.
    """
    wanted = [Wanted(slots_lock(), alone=True)]
    busy = "Traefik's slots are"
    return _holding(wanted, holder, busy, wait=wait, clock=clock, progress=progress, stacks=stacks)


def sharing_slots(*, wait: float, clock: Clock) -> AbstractContextManager[None]:
    """Hold Traefik's slots against a flip, beside others who do. Otherwise as `holding`."""
    wanted = [Wanted(slots_lock(), alone=False)]
    busy = "Traefik's slots are"
    return _holding(
        wanted, Holder("provision"), busy, wait=wait, clock=clock, progress=lambda _: None
    )


def holding_host(
    stacks: Path,
    holder: Holder,
    *,
    wait: float,
    clock: Clock,
    progress: Callable[[str], None],
) -> AbstractContextManager[None]:
    """Hold the host alone, so that no deploy, rollback, provisioning or flip is under way.

    `stacks` is the directory with one for each stack. Otherwise as `holding`.
    """
    wanted = [Wanted(HOST_LOCK, alone=True), Wanted(slots_lock(), alone=True)]
    busy = "The host is"
    return _holding(wanted, holder, busy, wait=wait, clock=clock, progress=progress, stacks=stacks)


@contextmanager
def _holding(
    wanted: Sequence[Wanted],
    holder: Holder,
    busy: str,
    *,
    wait: float,
    clock: Clock,
    progress: Callable[[str], None],
    stacks: Path | None = None,
) -> Iterator[None]:
    """Hold these locks; StackBusyError, which begins with `busy`, when others hold them.

    `stacks` is given where those who share a wanted lock can be told by their stacks' own.
    """
    HOST_LOCK.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        with kernel_lock.hold(
            wanted,
            holder,
            wait=wait,
            now=clock.now,
            pause=clock.pause,
            progress=progress,
            others=lambda: sorted(stacks.glob("*/lock")) if stacks else [],
        ):
            yield
    except BusyError as other:
        raise StackBusyError(busy_message(busy, str(other), wait), by=str(other)) from other


def busy_message(busy: str, by: str, wait: float) -> str:
    """Say who holds what was waited for, for so many seconds; `busy` is its beginning."""
    waited = f"Waited {wait:g} s" if wait > 0 else "Did not wait"
    return (
        f"{busy} busy: {by}. {waited} (stack_lock_wait); this changed nothing. Run it again "
        f"when that has ended. There is no lock to remove: it is free as soon as its holder "
        f"ends or dies."
    )


def slots_lock() -> Path:
    """Return the file that a flip holds alone."""
    return HOST_LOCK.with_name("slots.lock")


def older_run_refusal(serving: Manifest | None, run_number: int, *, allow: bool) -> str:
    """Say why a CI run may not replace what serves: a newer run has deployed that. Empty: it may.

    A number of 0 is not known, on either side, and refuses nothing.
    """
    if serving is None or allow or run_number <= 0:
        return ""
    newer = int(serving.actor.get("run_number") or 0)
    if run_number >= newer:
        return ""
    url = serving.actor.get("run_url")
    return (
        f"The release that serves, {serving.id} (version {serving.version}), was deployed by CI "
        f"run {newer}{f' ({url})' if url else ''}; this is run {run_number}, an older one, which "
        f"never overtakes a newer one. If it shall serve again, use playbooks/rollback.yml, or set "
        f"stack_allow_older_run: -e '{{\"stack_allow_older_run\": true}}'."
    )
