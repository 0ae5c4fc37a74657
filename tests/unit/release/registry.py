"""An engine that also answers questions to its API, and knows a registry."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    RELEASE_LABEL,
    STACK_LABEL,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import StackDirectory

from tests.unit.release.fakes import STACK, FakeEngine


class Registry(FakeEngine):
    """An engine whose registry has every tag under the digest of its version.

    `missing` maps a reference to what the registry says instead; `used` is the memory of each
    container in bytes, as the engine reports it.
    """

    def __init__(self, directory: StackDirectory) -> None:
        super().__init__(directory)
        self.asked: list[str] = []
        self.missing: dict[str, str] = {}
        self.used: dict[str, dict[str, Any]] = {}
        self.version = {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}
        self.compose_version = "2.26.1-4"

    def run(self, *arguments: str, timeout: float = 120) -> str:
        if arguments == ("compose", "version", "--short"):
            return f"{self.compose_version}\n"
        return super().run(*arguments, timeout=timeout)

    def platform(self) -> str:
        return "linux/amd64"

    def resolve(self, reference: str, platform: str) -> str:
        if "@" in reference:
            return reference
        self.asked.append(reference)
        if reference in self.missing:
            raise EngineError(f"{reference}: {self.missing[reference]}")
        name, _, tag = reference.rpartition(":")
        return f"{name}@sha256:{tag.replace('.', '').rjust(64, '0')}"

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        if "ask" in self.failing:
            raise EngineError(self.failing["ask"])
        if path.startswith("/containers/json"):
            assert STACK in path
            return 200, [self._summary(one) for one in self.there.values()]
        if path.endswith("/stats?stream=false&one-shot=true"):
            name = path.split("/")[2].removeprefix("id-of-")
            return 200, {"memory_stats": self.used.get(name, {})}
        answers: dict[str, Any] = {
            "/networks": [{"Name": name} for name in self.networks],
            "/version": self.version,
            "/info": {"DockerRootDir": "/var"},
        }
        return 200, answers[path]

    @staticmethod
    def _summary(one: dict[str, Any]) -> dict[str, Any]:
        labels = one["Config"]["Labels"]
        return {
            "Id": one["Id"],
            "Names": [one["Name"]],
            "State": "running" if one["State"]["Running"] else "exited",
            "Labels": {name: labels[name] for name in (STACK_LABEL, RELEASE_LABEL)},
        }
