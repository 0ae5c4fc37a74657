"""A rollout as docker-rollout does it, on a compose project made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from bench.peers import rollout as module
from bench.peers.rollout import rollout
from bench.shell import BenchError


@dataclass
class Project:
    """Stands for a compose project with one service; `sick` looks find a container not healthy."""

    running: list[str] = field(default_factory=lambda: ["old-1", "old-2"])
    sick: int = 0
    done: list[str] = field(default_factory=list)

    def containers(self, service: str) -> list[str]:
        assert service == "backend"
        return list(self.running)

    def scale(self, service: str, count: int) -> None:
        self.done.append(f"scale {service} {count}")
        self.running += [f"new-{number + 1}" for number in range(count - len(self.running))]

    def is_healthy(self, container: str) -> bool:
        assert container.startswith("new"), "nobody asks the old ones"
        self.sick -= 1
        return self.sick < 0

    def run_hook(self, container: str) -> None:
        self.done.append(f"hook {container}")

    def stop(self, container: str) -> None:
        self.done.append(f"stop {container}")

    def remove(self, container: str) -> None:
        self.done.append(f"remove {container}")
        self.running.remove(container)


def test_old_containers_get_their_hook_then_the_signal_then_go_once_the_new_ones_are_healthy() -> (
    None
):
    project = Project(sick=3)
    rollout(project, "backend", poll_seconds=0)
    assert project.done[0] == "scale backend 4"
    # The containers of a service are done with at the same time, the works one after the other.
    works = [done.split()[0] for done in project.done[1:]]
    assert works == ["hook", "hook", "stop", "stop", "remove", "remove"]
    assert sorted(project.running) == ["new-1", "new-2"]


def test_old_containers_stay_as_they_are_when_a_new_one_never_gets_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEALTHY_SECONDS", 0)
    project = Project(sick=1000)
    with pytest.raises(BenchError, match="backend is not healthy"):
        rollout(project, "backend", poll_seconds=0)
    assert project.done == ["scale backend 4"]
    assert {"old-1", "old-2"} <= set(project.running)
