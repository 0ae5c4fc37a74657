"""The sample's own tests run in containers that are gone afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench import application, sample
from bench.names import LABEL
from bench.sample import BACKEND, FRONTEND
from bench.shell import BenchError

MADE = {"python": "bench/python:1", "node": "bench/node:1"}


@dataclass
class Engine:
    """Stands for the Docker client; knows which containers there are."""

    containers: set[str] = field(default_factory=set)
    created: list[tuple[str, ...]] = field(default_factory=list)

    def exists(self, _kind: str, name: str) -> bool:
        return name in self.containers

    def docker(self, *words: str, **_: object) -> str:
        if words[0] == "create":
            self.created.append(words)
            self.containers.add(words[1].removeprefix("--name="))
        elif words[0] == "rm":
            self.containers.remove(words[-1])
        elif words[0] == "start":
            raise BenchError("a test failed")
        return ""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(sample, "docker", engine.docker)
    monkeypatch.setattr(sample, "exists", engine.exists)
    return engine


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(application, "SOURCE", tmp_path)
    for part in (BACKEND, FRONTEND):
        part.folder.mkdir()
        for name in part.locks:
            (part.folder / name).write_text("1")
    return tmp_path


def test_a_failure_is_told_and_leaves_no_container(engine: Engine) -> None:
    with pytest.raises(BenchError, match="a test failed"):
        sample.check(FRONTEND, "image")
    assert engine.containers == set()


def test_a_database_that_does_not_start_is_removed(engine: Engine) -> None:
    with pytest.raises(BenchError), sample.postgres("image"):
        pytest.fail("it does not run")
    assert engine.containers == set()


def test_what_a_killed_run_left_behind_goes_first(engine: Engine) -> None:
    with sample.container("one"):
        pass
    engine.containers.add("one")
    with sample.container("one"):
        assert engine.containers == {"one"}
    assert len(engine.created) == 2


def test_a_container_carries_the_label_of_the_bench(engine: Engine) -> None:
    with sample.container("one"):
        assert f"--label={LABEL}=1" in engine.created[0]


@pytest.mark.usefixtures("source")
def test_a_changed_lock_file_renames_the_image_and_a_changed_source_does_not() -> None:
    before = sample.tag(BACKEND, {})
    (BACKEND.folder / "manage.py").write_text("2")
    assert sample.tag(BACKEND, {}) == before
    (BACKEND.folder / "uv.lock").write_text("2")
    assert sample.tag(BACKEND, {}) != before


def test_where_nothing_stands_in_the_public_image_is_taken() -> None:
    assert sample.base_image("python", MADE) == "bench/python:1"
    assert sample.base_image("postgres", MADE) == "postgres:17"


def test_the_pin_of_uv_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_VERSION", raising=False)
    with pytest.raises(BenchError, match="make example"):
        sample.ensure_image(BACKEND, MADE)
