"""Asking commands what they would do, in throw-away containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import rehearsal
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.rehearsal import rehearse
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    StackDirectory,
)

from tests.unit.release.fakes import DIGESTS, NEW, OLD, FakeEngine, manifest, model, written

PLAN = ["migrate", "--plan", "$HOME"]


class Stage(FakeEngine):
    """Keeps what it was asked to run, as it was while it ran."""

    def __init__(self, directory: StackDirectory) -> None:
        super().__init__(directory)
        self.images = set(DIGESTS.values())
        self.definition: dict[str, Any] = {}
        self.arguments: tuple[str, ...] = ()
        self.timeout = 0.0
        self.output = "Create model Note\n"
        self.removed: list[str] = []

    def compose(self, directory: Path, *arguments: str, timeout: float = 120) -> str:
        self.definition = json.loads((directory / "compose.yml").read_text())
        self.arguments, self.timeout = arguments, timeout
        if "run" in self.failing:
            raise EngineError(self.failing["run"])
        return self.output

    def remove(self, container: str, *, volumes: bool = False) -> None:  # noqa: ARG002
        self.removed.append(container)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "run"
    place.mkdir()
    monkeypatch.setattr(rehearsal, "MEMORY_FILES", place)
    return place


@pytest.fixture
def stage(directory: StackDirectory, memory: Path) -> Stage:
    written(directory, manifest(OLD, outcome=SERVING))
    secrets = directory.release(OLD) / "secrets" / "backend"
    secrets.mkdir(parents=True)
    (secrets / "key").write_text("hunter2")
    (directory.release(OLD) / "volumes" / "manifest").mkdir(parents=True)
    return Stage(directory)


def asked(stage: Stage, serving: str | None = OLD, **command: Any) -> list[str]:
    assert stage.directory
    wanted = model()
    wanted["commands"][0] |= {"plan": PLAN} | command
    return rehearse(stage.directory, stage, wanted, manifest(), serving)


def test_a_command_says_what_it_would_do(stage: Stage, memory: Path) -> None:
    assert asked(stage) == ["migrate would do:", "  Create model Note"]
    assert stage.arguments[:5] == ("run", "--rm", "--no-deps", "--no-TTY", "--interactive=false")
    assert stage.timeout == 60


def test_nothing_stays(stage: Stage, memory: Path) -> None:
    asked(stage)
    stage.failing["run"] = "'docker compose' did not end within 60 seconds."
    assert asked(stage)[1].startswith("  not known: 'docker compose' did not end")
    stage.failing["run"] = "'docker compose … run --rm migrate' failed: no such table"
    assert asked(stage)[1] == "  not known: no such table"
    assert len(stage.removed) == 3
    assert all(name.startswith("shop-plan-migrate-") for name in stage.removed)
    assert list(memory.iterdir()) == []


def test_the_container_is_the_new_release_with_the_secrets_that_serve(
    stage: Stage, directory: StackDirectory
) -> None:
    asked(stage)
    (entry,) = stage.definition["services"].values()
    assert entry["image"] == DIGESTS["backend"]
    assert entry["environment"]["SLIPWAY_RELEASE"] == NEW
    assert entry["command"] == ["migrate", "--plan", "$$HOME"]
    assert set(entry["networks"]) == set(stage.definition["networks"]) == {"app", "data"}
    assert entry["secrets"] == [{"source": "backend-key", "target": "key"}]
    place = directory.release(OLD)
    assert stage.definition["secrets"] == {
        "backend-key": {"file": str(place / "secrets" / "backend" / "key")}
    }


def test_the_container_can_change_no_file_and_is_nobodys(
    stage: Stage, directory: StackDirectory
) -> None:
    asked(stage)
    (entry,) = stage.definition["services"].values()
    (volume,) = entry["volumes"]
    assert volume["source"] == str(directory.release(OLD) / "volumes" / "manifest")
    assert volume["read_only"] is True
    assert entry["read_only"] is True
    assert "labels" not in entry
    assert "depends_on" not in entry


def test_secrets_are_struck_out(stage: Stage) -> None:
    stage.output = "would connect with hunter2\n"
    assert asked(stage)[1] == "  would connect with ********"


def test_a_command_that_says_nothing_says_so(stage: Stage) -> None:
    stage.output = ""
    assert asked(stage)[1] == "  (nothing)"


def test_a_command_without_a_plan_is_not_asked(stage: Stage) -> None:
    assert asked(stage, plan=[]) == []


def test_a_shorter_timeout_of_the_command_counts(stage: Stage) -> None:
    asked(stage, timeout=5)
    assert stage.timeout == 5


def test_an_image_that_is_not_there_is_not_pulled(stage: Stage) -> None:
    stage.images = set()
    assert asked(stage)[1] == (
        f"  not known: the image is not on the host. To see it: docker pull {DIGESTS['backend']}"
    )


def test_before_the_first_deploy_there_is_nothing_to_compare_with(stage: Stage) -> None:
    assert asked(stage, None)[1].startswith("  not asked: nothing serves yet")
    assert stage.definition == {}
