"""Images that nobody vouches for are refused; cosign is a script that keeps a list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import signatures
from ansible_collections.slipway.stack.plugins.module_utils.lock import OvertakenError
from ansible_collections.slipway.stack.plugins.module_utils.plan import ROLL, plan_deploy
from ansible_collections.slipway.stack.plugins.module_utils.preflight import Lookup
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)

from tests.unit.release.fakes import model, secrets, serve, written
from tests.unit.release.registry import Registry
from tests.unit.release.test_plan import NOON, Quiet, wish

KEY, OTHER_KEY = "the team's key\n", "another key\n"
BACKEND = "registry.example.com/shop/backend"
# What the registry's tags lead to: see registry.Registry.
BUILT = f"sha256:{'141'.rjust(64, '0')}"
ELSEWHERE = f"sha256:{'a' * 64}"
SCRIPT = """\
#!/usr/bin/env python3
import json, pathlib, sys
words = dict(word.partition("=")[::2] for word in sys.argv[2:-1])
entry = [pathlib.Path(words["--key"]).read_text(), words["--annotations"], sys.argv[-1]]
with open("{calls}", "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
if entry not in json.load(open("{signed}")):
    sys.exit("WARNING: skipping\\nError: no matching signatures:\\nerror: twice")
"""


class Cosign:
    """The stand-in: `sign` adds what is good, `calls` has what was asked."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "cosign"
        self._signed, self._calls = folder / "signed.json", folder / "calls.jsonl"
        self.entries: list[list[str]] = []
        self.program.write_text(SCRIPT.format(calls=self._calls, signed=self._signed))
        self.program.chmod(0o755)
        self._signed.write_text("[]")

    def sign(self, image: str, version: str = "1.4.1", key: str = KEY) -> None:
        self.entries.append([key, f"version={version}", image])
        self._signed.write_text(json.dumps(self.entries))

    @property
    def calls(self) -> list[list[str]]:
        text = self._calls.read_text() if self._calls.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cosign:
    folder = tmp_path / "cosign"
    folder.mkdir()
    made = Cosign(folder)
    monkeypatch.setattr(signatures, "COSIGN", str(made.program))
    return made


@pytest.fixture
def registry(directory: StackDirectory) -> Registry:
    return Registry(directory)


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lookup, "_resolve", lambda _: None)
    monkeypatch.setattr(Lookup, "warning", lambda _: "")


def only_backend() -> dict[str, Any]:
    wanted = model()
    backend = {**wanted["services"]["backend"], "image": BACKEND}
    return wanted | {"services": {"backend": backend}, "sizes": {}, "commands": []}


def refused(registry: Registry, **changes: Any) -> str:
    """Return why a deploy of the backend is refused, or nothing."""
    changes = {"model": only_backend(), "verify_keys": [KEY]} | changes
    try:
        found = plan_deploy(wish(registry, **changes), registry, Quiet(), NOON)
    except ReleaseError as error:
        return str(error)
    assert found.action == ROLL
    return ""


@pytest.mark.usefixtures("cosign")
def test_an_image_that_nobody_signed_is_refused(registry: Registry) -> None:
    reason = refused(registry)
    assert f"not signed by a key of stack_verify_keys for version '1.4.1': {BACKEND}@" in reason
    assert "(cosign: no matching signatures:)" in reason


def test_a_rotation_of_what_serves_asks_for_no_signature(
    registry: Registry, cosign: Cosign
) -> None:
    """It brings no image, and may have to do without the registry."""
    assert registry.directory
    cosign.sign(f"{BACKEND}@{BUILT}")
    serving = plan_deploy(
        wish(registry, model=only_backend(), verify_keys=[KEY]), registry, Quiet(), NOON
    ).manifest
    written(registry.directory, serving)
    serve(registry.directory, serving.id)
    asked = cosign.calls
    assert not refused(registry, secrets=secrets(password="another"), rotate=True)
    assert cosign.calls == asked


def test_a_signed_image_is_deployed(registry: Registry, cosign: Cosign) -> None:
    cosign.sign(f"{BACKEND}@{BUILT}")
    assert not refused(registry)
    (call,) = cosign.calls
    assert "--insecure-ignore-tlog=true" in call
    assert "--allow-http-registry" not in call


def test_a_registry_without_a_trusted_certificate_is_asked_as_the_engine_asks_it(
    registry: Registry, cosign: Cosign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "insecure_registries", lambda _: {"registry.example.com"})
    cosign.sign(f"{BACKEND}@{BUILT}")
    assert not refused(registry)
    assert "--allow-http-registry" in cosign.calls[0]


def test_a_signature_by_another_key_is_none(registry: Registry, cosign: Cosign) -> None:
    cosign.sign(f"{BACKEND}@{BUILT}", key=OTHER_KEY)
    assert "is not signed" in refused(registry)


def test_any_of_the_keys_is_enough_so_that_they_can_be_changed(
    registry: Registry, cosign: Cosign
) -> None:
    cosign.sign(f"{BACKEND}@{BUILT}", key=OTHER_KEY)
    assert not refused(registry, verify_keys=[KEY, OTHER_KEY])


def test_a_tag_that_leads_to_an_older_signed_image_is_refused(
    registry: Registry, cosign: Cosign
) -> None:
    cosign.sign(f"{BACKEND}@{BUILT}", version="1.4.0")
    assert "for version '1.4.1'" in refused(registry)


def test_digests_are_deployed_in_place_of_what_the_tag_leads_to(
    registry: Registry, cosign: Cosign
) -> None:
    given = wish(registry, model=only_backend(), digests={BACKEND: ELSEWHERE})
    found = plan_deploy(given, registry, Quiet(), NOON)
    assert found.manifest.images == {"backend": f"{BACKEND}@{ELSEWHERE}"}
    assert not cosign.calls


def test_a_tag_that_was_moved_after_the_build_is_refused(
    registry: Registry, cosign: Cosign
) -> None:
    cosign.sign(f"{BACKEND}@{ELSEWHERE}")
    reason = refused(registry, digests={BACKEND: ELSEWHERE})
    assert f"{BACKEND}:1.4.1" in reason
    assert f"but: {BACKEND}@{BUILT}. It was moved after the build" in reason
    cosign.sign(f"{BACKEND}@{BUILT}")
    assert not refused(registry, digests={BACKEND: BUILT})


def test_an_image_that_the_inventory_names_by_digest_needs_no_signature(
    registry: Registry, cosign: Cosign
) -> None:
    wanted = only_backend()
    wanted["services"]["backend"]["image"] = f"{BACKEND}@{ELSEWHERE}"
    assert not refused(registry, model=wanted)
    assert not cosign.calls


def test_an_image_of_several_services_is_checked_once(registry: Registry, cosign: Cosign) -> None:
    wanted = only_backend()
    wanted["services"]["worker"] = {"image": BACKEND}
    cosign.sign(f"{BACKEND}@{BUILT}")
    assert not refused(registry, model=wanted)
    assert len(cosign.calls) == 1


def test_a_host_without_cosign_says_how_to_get_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "COSIGN", "/nowhere/cosign")
    assert "/nowhere/cosign is missing: run playbooks/provision.yml" in refused(registry)


def test_an_older_run_is_overtaken_whatever_its_images(
    directory: StackDirectory, registry: Registry, cosign: Cosign
) -> None:
    serving = plan_deploy(wish(registry), registry, Quiet(), NOON).manifest
    serving.actor = {"run_number": 43}
    written(directory, serving)
    serve(directory, serving.id)
    older = wish(registry, model=only_backend(), verify_keys=[KEY], version="1.5.0")
    with pytest.raises(OvertakenError, match="this is run 42, an older one"):
        plan_deploy(older, registry, Quiet(), NOON)
    assert not cosign.calls
