"""Routes of a stack that belong to no release: who answers while none serves, or in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.proxy import (
    TRAEFIK_LOG,
    Proxy,
    publish_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)

CONFIRM_SECONDS = 15
POLL_SECONDS = 0.1


class EdgeRoutes:
    """One such file of a stack, `<stack>.<kind>.yml`; no stack's name has a dot."""

    def __init__(
        self, directory: StackDirectory, kind: str, active: Callable[[], Proxy], clock: Clock
    ) -> None:
        """Bring the parts together; nothing is published yet.

        `active` returns the Traefik that visitors are led to, which a flip may change meanwhile.
        """
        self.path: Path = directory.dynamic / f"{directory.stack}.{kind}.yml"
        self.prefix = f"{directory.stack}.{kind}"
        self.active = active
        self.clock = clock

    def settle(self, wanted: dict[str, Any] | None, *, check: bool = False) -> bool:
        """Have these routes, or none, and no others; tell whether that is a change.

        ReleaseError when Traefik does not show it within 15 seconds, OSError when it cannot be
        written.
        """
        text = f"{json.dumps(wanted, indent=2)}\n" if wanted else None
        before = self.path.read_text() if self.path.exists() else None
        if check:
            return text != before
        if text is None:
            self.path.unlink(missing_ok=True)
        elif text != before:
            if not self.path.parent.is_dir():
                raise ReleaseError(
                    f"This host is not provisioned: {self.path.parent} is missing. Run "
                    f"playbooks/provision.yml with the same inventory first."
                )
            publish_routes(self.path, text)
        self._confirm(wanted["http"]["routers"] if wanted else {})
        return text != before

    def _confirm(self, routers: dict[str, Any]) -> None:
        """Ask Traefik until it shows exactly these routers of the file."""
        rules = {name: router["rule"] for name, router in routers.items()}
        bound = self.clock.now() + CONFIRM_SECONDS
        while (shown := self._shown()) != rules:
            if self.clock.now() > bound:
                wrong = sorted(shown.items() ^ rules.items())
                raise ReleaseError(
                    f"Traefik did not take {self.path} within {CONFIRM_SECONDS} seconds: it "
                    f"shows other routers than {', '.join(dict(wrong))}. See {TRAEFIK_LOG} on the "
                    f"host and the files beside that one."
                )
            self.clock.pause(POLL_SECONDS)

    def _shown(self) -> dict[str, str]:
        """Return the rules of the file's routers that work, by name."""
        return {
            router["name"].removesuffix("@file"): router["rule"]
            for router in self.active().get("/api/http/routers?per_page=1000")
            if router["name"].removesuffix("@file").startswith(self.prefix)
            and router["status"] == "enabled"
        }
