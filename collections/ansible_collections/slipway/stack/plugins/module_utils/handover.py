"""Work changes hands: the old release's workers end, and its singletons make room for the new ones.

It runs beside the soak, while the old release is warm and can have its work back.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    PORT_LABEL,
    SERVICE_LABEL,
    SINGLETON_LABEL,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest
from ansible_collections.slipway.stack.plugins.module_utils.retire import Retirer
from ansible_collections.slipway.stack.plugins.module_utils.start import Starter, singletons
from ansible_collections.slipway.stack.plugins.module_utils.together import together


class Handover:
    """Gives the work to a release, in the background; it ends by the bounds of its parts."""

    def __init__(self, new: Manifest, starter: Starter, retirer: Retirer, *, settled: bool) -> None:
        """Touch nothing before `begin`; `settled` as `Starter.wait_until_healthy` has it."""
        self.new = new
        self.starter = starter
        self.retirer = retirer
        self.settled = settled
        self._under_way: Future[None] | None = None

    def begin(self) -> None:
        """Begin, and return at once."""
        pool = ThreadPoolExecutor(1)
        self._under_way = pool.submit(self._hand_over)
        pool.shutdown(wait=False)

    def raise_if_failed(self) -> None:
        """Raise what it has failed with, if it has."""
        if self._under_way and self._under_way.done():
            self._under_way.result()

    def finish(self) -> None:
        """Wait for the end, and raise what it failed with."""
        if self._under_way:
            self._under_way.result()

    def await_end(self) -> None:
        """Wait for the end, however it ends."""
        if self._under_way:
            self._under_way.exception()

    def _hand_over(self) -> None:
        at_work = [
            container
            for container in self.retirer.others({self.new.id})
            if PORT_LABEL not in container["Config"]["Labels"] and container["State"]["Running"]
        ]
        alone = [one for one in at_work if self._is_singleton(one["Config"]["Labels"])]
        together(
            [
                partial(self.retirer.stop, [one for one in at_work if one not in alone]),
                partial(self._replace_singletons, alone),
            ]
        )

    def _is_singleton(self, labels: dict[str, str]) -> bool:
        """Tell whether an old container must be gone before the new singletons start."""
        return SINGLETON_LABEL in labels or labels.get(SERVICE_LABEL) in singletons(self.new)

    def _replace_singletons(self, old: list[dict[str, Any]]) -> None:
        """Start the new ones once the old ones are gone; other old workers may take longer."""
        self.retirer.stop(old)
        self.starter.start(self.new, singletons(self.new))
        self.starter.wait_until_healthy(self.new, singletons(self.new), settled=self.settled)
