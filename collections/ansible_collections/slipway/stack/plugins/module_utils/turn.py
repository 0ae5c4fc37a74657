"""Whose turn it is: a plan waits for what is under way, or follows it when it is the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.lock import Holder, held_by, holding
from ansible_collections.slipway.stack.plugins.module_utils.plan import FOLLOW, Plan
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)


def in_turn(
    directory: StackDirectory, plan: Callable[[], Plan], holder: Holder, *, wait: float
) -> Plan:
    """Make the plan while nobody rolls, so that it is not stale before it is made.

    Waits up to `wait` seconds for another deploy, unless that is the one that is wanted: then the
    plan is to follow it. ReleaseError says who was waited for, or what the plan refuses.
    """
    if held_by(directory.lock):
        with suppress(ReleaseError):  # what is refused now may be fine once the other has ended
            found = plan()
            if found.action == FOLLOW:
                return found
    with holding(directory, holder, wait=wait, clock=Clock(), progress=lambda _: None):
        return plan()
