"""What docker-rollout 0.13 does to one service of a compose project, in our own words.

Twice the containers, wait until the new ones are healthy, the old ones' hook, stop, remove.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from bench.demo import side_by_side
from bench.shell import BenchError

HEALTHY_SECONDS: Final = 60
POLL_SECONDS: Final = 1


class Project(Protocol):
    """A compose project, as far as a rollout touches it; containers go by their ids."""

    def containers(self, service: str) -> list[str]:
        """Return the service's running containers."""

    def scale(self, service: str, count: int) -> None:
        """Have so many containers of the service, and leave alone those that are there."""

    def is_healthy(self, container: str) -> bool:
        """Say whether the container passes its health check."""

    def run_hook(self, container: str) -> None:
        """Run what the container's label says to run in it before it is stopped, if anything."""

    def stop(self, container: str) -> None:
        """Stop a container with its own grace period."""

    def remove(self, container: str) -> None:
        """Remove a stopped container."""


def rollout(project: Project, service: str, poll_seconds: float = POLL_SECONDS) -> None:
    """Replace a service's containers by new ones; BenchError when those do not get healthy."""
    old = project.containers(service)
    project.scale(service, 2 * len(old))
    new = [one for one in project.containers(service) if one not in old]
    bound = time.monotonic() + HEALTHY_SECONDS
    while not all(project.is_healthy(one) for one in new):
        if time.monotonic() > bound:
            raise BenchError(f"{service} is not healthy within {HEALTHY_SECONDS} s")
        time.sleep(poll_seconds)
    for work in (project.run_hook, project.stop, project.remove):
        side_by_side(*(lambda one=one, work=work: work(one) for one in old))
