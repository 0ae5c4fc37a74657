"""An engine that keeps its containers in memory."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    PORT_LABEL,
    RELEASE_LABEL,
    SERVICE_LABEL,
    STACK_LABEL,
    container_name,
    project_name,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, StackDirectory

STACK = "shop"
STOP_TIMEOUT = 30
ROUTED = ("backend", "frontend")


class FakeEngine(Engine):
    """Stands in for the docker command and keeps containers in memory.

    `events` collects every command that changes something, `calls` all commands with all their
    arguments. `failing` maps a verb (`up`, `tag`, …) to the error that it ends with. `step` is told
    of each command that changes something, before it is done and after. `roots` are images that
    start as root.
    """

    def __init__(self, directory: StackDirectory | None = None) -> None:
        self.directory = directory
        self.events: list[str] = []
        self.calls: list[tuple[str, ...]] = []
        self.failing: dict[str, str] = {}
        self.step: Callable[[str], None] = lambda _: None
        self.there: dict[str, dict[str, Any]] = {}
        self.images: set[str] = set()
        self.weights: dict[str, int] = {}
        self.roots: set[str] = set()
        self.networks = [f"{STACK}-{kind}" for kind in ("edge", "app", "data")]
        self.ended: Callable[[], int] = lambda: 0
        self.log = "the last line"
        self.new_state: dict[str, Any] = {}

    def run(self, *arguments: str, timeout: float = 120) -> str:
        self.calls.append(arguments)
        verb = arguments[0]
        rest = list(arguments[1:])
        release_id = ""
        if verb == "compose":
            release_id = Path(rest[1]).parent.name
            verb, rest = rest[4], rest[5:]
        elif verb in {"container", "image", "network"}:
            verb, rest = f"{verb} {rest[0]}", rest[1:]
        self.step(f"before {verb}")
        if release_id:
            self.events.append(f"{verb} {release_id}")
            rest = [release_id, *rest]
        if verb in self.failing:
            raise EngineError(self.failing[verb])
        handler = getattr(self, f"_{verb.replace(' ', '_')}", None)
        answer: str = handler(rest) if handler else ""
        self.step(f"after {verb}")
        return answer

    def logs(self, name: str, lines: int = 30) -> str:
        return self.log

    def has_image(self, reference: str) -> bool:
        return reference in self.images

    def runs_as_root(self, reference: str) -> bool:
        return reference in self.roots

    def pull(self, references: Sequence[str]) -> list[str]:
        self.step("before pull")
        missing = [one for one in references if not self.has_image(one)]
        if missing and "pull" in self.failing:
            raise EngineError(self.failing["pull"])
        self.events.extend(f"pull {one}" for one in missing)
        self.images.update(missing)
        self.step("after pull")
        return missing

    def tag(self, image: str, name: str) -> None:
        self.run("tag", image, name)

    def weigh(self, container: str, shares: int) -> None:
        self.run("weigh", container, str(shares))

    def start(self, container: str, timeout: float = 0) -> None:
        self.run("start", container)

    def wait(self, container: str, timeout: float) -> int:
        return int(self.run("wait", container))

    def stop(self, container: str, timeout: float) -> None:
        self.run("stop", container)

    def remove(self, container: str, *, volumes: bool = False) -> None:
        self.run("rm", container)

    def remove_image(self, name: str) -> None:
        self.run("image", "rm", name)

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        if path == "/networks":
            return 200, [{"Name": name} for name in self.networks]
        if re.fullmatch("/containers/[^/]+/json", path):
            return self._inspected(path.split("/")[2])
        assert path.startswith("/containers/json?all=true&filters="), path
        listed = [
            {
                "Id": one["Id"],
                "Names": [one["Name"]],
                "Labels": one["Config"]["Labels"],
                "State": one["State"]["Status"],
            }
            for one in self.there.values()
        ]
        return 200, listed

    # what is there ------------------------------------------------------------------------------

    def add(self, release_id: str, name: str, **state: Any) -> None:
        """Put a running container of a release on the host."""
        service, _, number = name.rpartition("-")
        container = container_name(STACK, release_id, service, int(number))
        labels = {STACK_LABEL: STACK, RELEASE_LABEL: release_id, SERVICE_LABEL: service}
        if service in ROUTED:
            labels[PORT_LABEL] = "8000"
        self._add(container, labels, state)

    def add_release(self, one: Manifest) -> None:
        for service, values in one.services.items():
            for number in range(1, len(values["containers"]) + 1):
                self.add(one.id, f"{service}-{number}", **self.new_state)

    def _add(self, name: str, labels: dict[str, str], state: dict[str, Any]) -> None:
        self.there[name] = {
            "Id": f"id-of-{name}",
            "Name": f"/{name}",
            "RestartCount": state.pop("RestartCount", 0),
            "Config": {"Labels": labels, "StopTimeout": STOP_TIMEOUT},
            "State": {
                "Running": True,
                "Status": "running",
                "OOMKilled": False,
                "ExitCode": 0,
                "Pid": 4242,
                **state,
            },
        }

    def names(self) -> list[str]:
        return sorted(self.there)

    def running(self) -> set[str]:
        """Name the containers that run."""
        return {name for name, one in self.there.items() if one["State"]["Running"]}

    def set_running(self, name: str, *, running: bool) -> None:
        """Stop or start a container behind everybody's back."""
        state = {True: "running", False: "exited"}[running]
        self.there[name]["State"] |= {"Running": running, "Status": state}

    # the commands -------------------------------------------------------------------------------

    def _find(self, name: str) -> str | None:
        return next((key for key, one in self.there.items() if name in {key, one["Id"]}), None)

    def _told(self, names: list[str]) -> str:
        """Name the releases of these containers; what is no service's goes by its own name."""
        found = [self.there[key] for key in map(self._find, names) if key]
        told = {
            one["Name"].lstrip("/")
            if one["Name"].rpartition("-")[2].isalpha()
            else one["Config"]["Labels"][RELEASE_LABEL]
            for one in found
        }
        return " ".join(sorted(told)) or names[-1]

    def _inspected(self, name: str) -> tuple[int, Any]:
        """Show a container as it is now; whoever asked keeps that."""
        if "inspect" in self.failing:
            raise EngineError(self.failing["inspect"])
        found = self._find(name)
        return (200, copy.deepcopy(self.there[found])) if found else (404, {"message": "no such"})

    def _up(self, rest: list[str]) -> str:
        release_id, *_ = rest
        for name in rest[rest.index("never") + 1 :]:
            container = f"{project_name(STACK, release_id)}-{name}"
            made = {"Running": False, "Status": "created"}
            if container not in self.there and name.rpartition("-")[2].isdigit():
                self.add(release_id, name, **made)
            elif container not in self.there:
                self._add(container, {STACK_LABEL: STACK, RELEASE_LABEL: release_id}, made)
        return ""

    def _wait(self, rest: list[str]) -> str:
        code = self.ended()
        self.set_running(rest[0], running=False)
        return str(code)

    def _weigh(self, rest: list[str]) -> str:
        name, shares = rest
        self.weights[name] = int(shares)
        self.events.append(f"weigh {name} {shares}")
        return ""

    def _tag(self, rest: list[str]) -> str:
        self.events.append(f"tag {rest[1]}")
        return ""

    def _stop(self, rest: list[str]) -> str:
        self.events.append(f"stop {self._told(rest)}")
        for name in filter(None, map(self._find, rest)):
            self.set_running(name, running=False)
        return ""

    def _start(self, rest: list[str]) -> str:
        self.events.append(f"start {self._told(rest)}")
        for name in filter(None, map(self._find, rest)):
            self.set_running(name, running=True)
            state = dict(self.new_state)
            self.there[name]["RestartCount"] = state.pop("RestartCount", 0)
            self.there[name]["State"] |= state
        return ""

    def _rm(self, rest: list[str]) -> str:
        self.events.append(f"rm {self._told(rest)}")
        for name in filter(None, map(self._find, rest)):
            del self.there[name]
        return ""

    def _image_rm(self, rest: list[str]) -> str:
        self.events.append(f"image rm {rest[0]}")
        return ""

    def _network_ls(self, _: list[str]) -> str:
        return "\n".join(self.networks)
