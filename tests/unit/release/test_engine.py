"""Image references, registries and the engine's answers."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import engine_api
from ansible_collections.slipway.stack.plugins.module_utils.engine import (
    Engine,
    EngineError,
    registry_host,
    registry_login,
    repository,
)

from tests.unit.release.fakes import DIGESTS

HUB = "https://index.docker.io/v1/"
DIGEST = f"sha256:{'d' * 64}"


@pytest.mark.parametrize(
    ("reference", "name", "host"),
    [
        ("nginx", "nginx", "docker.io"),
        ("nginx:1.29", "nginx", "docker.io"),
        ("library/nginx:1.29", "library/nginx", "docker.io"),
        ("example.com/shop/app:1", "example.com/shop/app", "example.com"),
        ("example.com:5000/app", "example.com:5000/app", "example.com:5000"),
        ("example.com:5000/app:1.0", "example.com:5000/app", "example.com:5000"),
        ("localhost/app:1", "localhost/app", "localhost"),
        (f"example.com:5000/app@{DIGEST}", "example.com:5000/app", "example.com:5000"),
        (f"example.com/app:1@{DIGEST}", "example.com/app", "example.com"),
    ],
)
def test_a_reference_names_its_repository_and_its_registry(
    reference: str, name: str, host: str
) -> None:
    assert repository(reference) == name
    assert registry_host(reference) == host


def logins(path: Path, *hosts: str) -> Path:
    auth = base64.b64encode(b"robot:pass:word").decode()
    file = path / "config.json"
    file.write_text(json.dumps({"auths": {host: {"auth": auth} for host in hosts}}))
    return file


@pytest.mark.parametrize(
    ("reference", "known", "address"),
    [
        ("example.com:5000/app:1", ["example.com:5000"], "example.com:5000"),
        ("nginx", ["docker.io"], "docker.io"),
        ("nginx", [HUB], HUB),
        ("example.com/app", ["example.com:5000"], None),
        ("nginx", ["example.com"], None),
        ("nginx", [], None),
    ],
)
def test_a_registry_is_asked_with_its_own_login_and_no_other(
    tmp_path: Path, reference: str, known: list[str], address: str | None
) -> None:
    header = registry_login(reference, logins(tmp_path, *known))
    found = json.loads(base64.urlsafe_b64decode(header)) if header else None
    expected = {"username": "robot", "password": "pass:word", "serveraddress": address}
    assert found == (expected if address else None)


@pytest.mark.parametrize("text", [None, "", "{", '{"auths": {"docker.io": {}}}'])
def test_without_a_usable_login_file_there_is_no_login(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    assert registry_login("nginx", tmp_path / "config.json") is None


class Answering(Engine):
    """An engine whose API gives one answer."""

    def __init__(self, status: int, answer: Any) -> None:
        self.answer = (status, answer)
        self.asked: list[str] = []

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        self.asked.append(path)
        return self.answer


def found(*platforms: str) -> dict[str, Any]:
    pairs = [one.split("/") for one in platforms]
    return {
        "Descriptor": {"digest": DIGEST},
        "Platforms": [{"os": system, "architecture": machine} for system, machine in pairs],
    }


def test_a_tag_is_resolved_to_what_the_registry_has_now() -> None:
    engine = Answering(200, found("linux/amd64", "linux/arm64", "unknown/unknown"))
    resolved = engine.resolve("example.com:5000/shop/app:1.4", "linux/arm64")
    assert resolved == f"example.com:5000/shop/app@{DIGEST}"
    assert engine.asked == ["/distribution/example.com%3A5000/shop/app%3A1.4/json"]


def test_a_digest_is_left_alone_without_asking() -> None:
    engine = Answering(500, "nobody may ask")
    assert engine.resolve(DIGESTS["backend"], "linux/amd64") == DIGESTS["backend"]
    assert engine.asked == []


def test_an_image_for_another_platform_is_refused() -> None:
    engine = Answering(200, found("linux/arm64"))
    with pytest.raises(EngineError, match=r"built for linux/arm64, but the host is linux/amd64"):
        engine.resolve("app:1", "linux/amd64")


def test_an_image_of_unknown_platform_is_taken() -> None:
    assert Answering(200, found()).resolve("app:1", "linux/amd64") == f"app@{DIGEST}"


@pytest.mark.parametrize(
    ("answer", "said"), [({"message": "manifest unknown"}, "manifest unknown"), ("odd", "odd")]
)
def test_the_registrys_refusal_is_passed_on(answer: Any, said: str) -> None:
    with pytest.raises(EngineError, match=f"app:1: {said}"):
        Answering(404, answer).resolve("app:1", "linux/amd64")


def test_without_its_socket_the_engine_is_said_not_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_api, "SOCKET", str(tmp_path / "docker.sock"))
    with pytest.raises(EngineError, match=r"does not answer at .*systemctl status docker"):
        Engine().platform()


def outcome(code: int, stdout: str = "", stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, stdout, stderr)


def test_a_failing_command_is_told_with_what_docker_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: outcome(1, stderr="no space\n"))
    with pytest.raises(EngineError, match=r"^'docker pull app' failed: no space$"):
        Engine().run("pull", "app")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (subprocess.TimeoutExpired("docker", 5), "'docker pull' did not end within 5 seconds"),
        (FileNotFoundError("docker"), "There is no 'docker' command"),
    ],
)
def test_a_command_that_cannot_end_is_an_error_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(EngineError, match=message):
        Engine().run("pull", "app", timeout=5)


class Listing(Engine):
    """An engine whose API knows two containers."""

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        if path.startswith("/containers/json?all=true&filters="):
            assert unquote(path).endswith('{"label": ["io.slipway.stack=shop"]}')
            return 200, [{"Id": "here"}, {"Id": "gone"}, {"Id": "there"}]
        name = path.split("/")[2]
        return (404, {"message": "no such"}) if name == "gone" else (200, {"Name": f"/{name}"})


def test_containers_that_do_not_exist_are_left_out() -> None:
    assert Listing().inspect([]) == []
    assert Listing().inspect(["gone"]) == []
    found = [{"Name": "/here"}, {"Name": "/there"}]
    assert Listing().inspect(["here", "gone", "there"]) == found
    # One that goes between the list and the look.
    assert Listing().containers("io.slipway.stack", "shop") == found


def test_an_engine_that_does_not_list_its_containers_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(EngineError, match="does not list the containers of shop: broken"):
        Answering(500, "broken").containers("io.slipway.stack", "shop")


@pytest.mark.parametrize(("code", "said"), [(0, ""), (1, "'docker exec id check' failed: no")])
def test_a_command_in_a_container_tells_why_it_did_not_end_well(
    monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: outcome(code, stderr="no\n"))
    assert Engine().execute("id", ["check"], 3) == said
