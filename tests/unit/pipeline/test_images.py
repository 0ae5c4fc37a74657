"""Images are built as compose.yml says, pushed, listed, signed, and handed on by digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline import __main__ as pipeline
from pipeline import images
from pipeline.images import Place
from pipeline.shell import PipelineError

from tests.unit.pipeline.programs import Programs

WHERE = Place("ghcr.io/org/app", "abc123")
DIGEST = f"sha256:{'a' * 64}"
BACKEND, FRONTEND = "ghcr.io/org/app/backend", "ghcr.io/org/app/frontend"
PUSH = """#python
path = next(word for word in words if word.startswith("--metadata-file=")).partition("=")[2]
targets = {target: {"containerimage.digest": "sha256:" + "a" * 64} for target in words[-2:]}
pathlib.Path(path).write_text(json.dumps(targets))
"""


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY", "ghcr.io/Org/App")
    monkeypatch.setenv("VERSION", "abc123")


@pytest.fixture
def builder(programs: Programs) -> Programs:
    targets = {one: {"tags": [f"{WHERE.registry}/{one}:abc123"]} for one in ("frontend", "backend")}
    programs.answer(
        "docker buildx bake --file=compose.yml --print", json.dumps({"target": targets})
    )
    programs.answer("docker buildx inspect", "Name: b\nDriver:        docker-container\n")
    programs.answer("docker buildx bake", PUSH)
    return programs


def handed_on(outputs: Path) -> dict[str, str]:
    """Read the outputs as GitHub does."""
    lines = iter(outputs.read_text().splitlines())
    return {line.partition("<<")[0]: next(lines) for line in lines if "<<" in line}


def test_digests_are_handed_on_by_repository(
    tmp_path: Path, builder: Programs, outputs: Path
) -> None:
    assert pipeline.main(["--application", str(tmp_path), "build"]) == 0
    found = handed_on(outputs)
    assert json.loads(found["digests"]) == {BACKEND: DIGEST, FRONTEND: DIGEST}
    assert found["checksums"] == f"{'a' * 64}  {BACKEND}"  # and a line for each further one
    (bake,) = builder.lines("docker buildx bake --file=compose.yml --push")
    assert f"--set=backend.cache-from=type=registry,ref={BACKEND}:cache" in bake
    assert builder.calls[0].environment["REGISTRY"] == "ghcr.io/org/app"


def test_a_build_with_a_cache_of_its_own_leaves_the_other_as_it_is(
    tmp_path: Path, builder: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE", "cache-previews")
    images.build(tmp_path, WHERE)
    (bake,) = builder.lines("docker buildx bake --file=compose.yml --push")
    for tag in ("cache", "cache-previews"):
        assert f"--set=backend.cache-from=type=registry,ref={BACKEND}:{tag} " in bake
    assert f"--set=backend.cache-to=type=registry,ref={BACKEND}:cache-previews," in bake
    assert f"cache-to=type=registry,ref={BACKEND}:cache," not in bake


def test_an_engine_that_builds_by_itself_keeps_its_own_cache(
    tmp_path: Path, builder: Programs
) -> None:
    builder.answers[1] = ("unused", "", 0)
    builder.answer("docker buildx inspect", "Name: default\nDriver:   docker\n")
    images.build(tmp_path, WHERE)
    assert not any("cache-" in line for line in builder.lines("docker buildx bake"))


def test_without_a_key_contents_are_attached_and_nothing_is_signed(
    tmp_path: Path, builder: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    images.build(tmp_path, WHERE)
    assert builder.lines("syft")[0].startswith(f"syft scan registry:{BACKEND}@{DIGEST} ")
    first, second = builder.lines("cosign")
    assert first.startswith("cosign attach sbom --sbom=")
    assert first.endswith(f"{BACKEND}@{DIGEST}")
    assert second.endswith(f"{FRONTEND}@{DIGEST}")
    assert "is not signed" in capsys.readouterr().out


def test_with_a_key_the_contents_and_the_image_are_signed_for_the_version(
    tmp_path: Path, builder: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSIGN_PRIVATE_KEY", "-----BEGIN")
    images.build(tmp_path, WHERE)
    attest, sign, *_ = builder.lines("cosign")
    assert attest.startswith("cosign attest --key=env://COSIGN_PRIVATE_KEY --tlog-upload=false")
    assert sign.endswith(f"--annotations=version=abc123 {BACKEND}@{DIGEST}")
    assert not any("BEGIN" in line for line in builder.lines())


def test_the_login_lasts_as_long_as_the_build(
    tmp_path: Path, builder: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_USER", "robot")
    monkeypatch.setenv("REGISTRY_PASSWORD", "correct horse")
    builder.answers.insert(2, ("docker buildx bake --file=compose.yml --push", "", 1))
    builder.answer("docker")
    with pytest.raises(PipelineError, match="failed with exit code 1"):
        images.build(tmp_path, WHERE)
    login = next(call for call in builder.calls if call.words[1] == "login")
    assert login.words == ["docker", "login", "--username", "robot", "--password-stdin", "ghcr.io"]
    assert login.stdin == "correct horse"
    assert builder.lines()[-1] == "docker logout ghcr.io"


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ({"tags": ["elsewhere/backend:abc123"]}, "is elsewhere/backend:abc123"),
        ({"tags": ["ghcr.io/org/app/backend:latest"]}, "is ghcr.io/org/app/backend:latest"),
        ({}, "services.backend.image is missing"),
    ],
)
def test_an_image_that_goes_elsewhere_is_refused_before_it_is_built(
    tmp_path: Path, programs: Programs, target: dict[str, list[str]], wrong: str
) -> None:
    programs.answer("docker buildx bake", json.dumps({"target": {"backend": target}}))
    with pytest.raises(PipelineError, match=wrong):
        images.build(tmp_path, WHERE)
    assert not programs.lines("docker buildx bake --file=compose.yml --push")


def test_a_push_whose_digest_nobody_knows_is_a_failure() -> None:
    with pytest.raises(PipelineError, match="under which digest it pushed backend"):
        images.built({"backend": BACKEND}, {"backend": {}})


@pytest.mark.parametrize("version", ["a/b", "", "-x"])
def test_a_version_that_is_no_tag_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("VERSION", version)
    with pytest.raises(PipelineError, match="VERSION"):
        images.place()
