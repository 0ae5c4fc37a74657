"""The sample's development environment: its own files, and what the bench adds to them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench import application, development
from bench.development import FILES, OWNER, Project
from bench.names import LABEL, ROOT
from bench.shell import BenchError

EXAMPLE = ROOT / "example"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    return Project(EXAMPLE).definition()


def test_an_ordinary_machine_gets_nothing_but_the_sample_s_own_files(
    definition: dict[str, Any],
) -> None:
    part = development.machine_part(definition, "public")
    assert Project(EXAMPLE).with_file(Path("/nowhere"), part).files == FILES


def test_where_images_stand_in_builds_take_the_machine_s_network(
    definition: dict[str, Any],
) -> None:
    part = development.machine_part(definition, "built")
    assert part["services"] == {
        name: {"build": {"network": "host"}} for name in ("backend", "frontend")
    }


def test_all_that_is_thrown_away_carries_the_label(definition: dict[str, Any]) -> None:
    part = development.throwaway_part(definition)
    made = [*part["services"].values(), *part["volumes"].values(), *part["networks"].values()]
    assert len(part["services"]) == len(definition["services"])
    assert all(one["labels"] == {LABEL: "1"} for one in made)
    assert part["services"]["postgres"].keys() == {"labels"}, "nobody renames a public image"


def test_every_port_is_this_machine_s_alone(definition: dict[str, Any]) -> None:
    ports = [port for one in definition["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_released_is_built_from_the_last_stage() -> None:
    shipped = yaml.safe_load((EXAMPLE / "compose.yml").read_text())
    for name, service in shipped["services"].items():
        assert "target" not in service["build"]
        stages = [
            line.split()
            for line in (EXAMPLE / name / "Dockerfile").read_text().splitlines()
            if line.startswith("FROM ")
        ]
        assert not any("development" in stage[1] for stage in stages), "nothing is made from it"
        assert stages[-1][-1] != "development"


def test_the_sample_is_developed_with_the_uv_that_checks_it() -> None:
    pin = "UV_VERSION := "
    lines = (ROOT / "Makefile").read_text().splitlines()
    [version] = [line.removeprefix(pin) for line in lines if line.startswith(pin)]
    assert f"ARG UV_VERSION={version}\n" in (EXAMPLE / "backend" / "Dockerfile").read_text()


@pytest.mark.parametrize("before", ["", "POSTGRES_PORT=5433\n"])
def test_another_owner_of_the_copy_is_written_down_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str
) -> None:
    monkeypatch.setattr(development, "OWNER", "4321:4321")
    (tmp_path / ".env").write_text(before)
    for _ in range(2):
        development.remember_owner(tmp_path)
    status = tmp_path.stat()
    assert (tmp_path / ".env").read_text() == f"DEVELOPER={status.st_uid}:{status.st_gid}\n{before}"


def test_the_owner_that_compose_assumes_is_written_down_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path.stat()
    monkeypatch.setattr(development, "OWNER", f"{status.st_uid}:{status.st_gid}")
    development.remember_owner(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_owner_that_compose_assumes_is_the_one_in_its_file() -> None:
    assert f"${{DEVELOPER:-{OWNER}}}" in (EXAMPLE / FILES[-1]).read_text()


def test_a_taken_port_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(development, "PORTS", (port,))
        with pytest.raises(BenchError, match=f"Port {port} is taken"):
            development.copy(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_developer_s_settings_do_not_go_to_the_builder(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEVELOPER=1:1\n")
    (tmp_path / "compose.yml").touch()
    assert b"DEVELOPER" not in application.pack(tmp_path)


class Client:
    """Stands for the Docker client; knows what images there are, and which are the bench's."""

    def __init__(self, *there: str, ours: str = "") -> None:
        self.there, self.ours = there, ours
        self.tagged: list[tuple[str, ...]] = []

    def exists(self, _kind: str, name: str) -> bool:
        return name in (*self.there, self.ours)

    def docker(self, *words: str) -> str:
        if words[0] == "tag":
            self.tagged.append(words[1:])
            return ""
        return "1234\n" if self.ours and words[-1] == f"--filter=reference={self.ours}" else ""


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (Client(), True),
        (Client("python:3.13-slim"), False),
        (Client(ours="python:3.13-slim"), True),
    ],
    ids=["missing", "pulled by somebody", "an older one of the bench's"],
)
def test_a_stand_in_takes_no_pulled_image_s_name(
    monkeypatch: pytest.MonkeyPatch,
    there: Client,
    named: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(development, "docker", there.docker)
    monkeypatch.setattr(development, "exists", there.exists)
    development.name_stand_ins({"python": "bench/python:2"})
    assert there.tagged == ([("bench/python:2", "python:3.13-slim")] if named else [])
