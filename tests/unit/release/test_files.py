"""Writing a release's directory, all of it or nothing."""

from __future__ import annotations

import base64
import difflib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    compose_definition,
    volumes_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.files import (
    Content,
    comparable,
    read_secrets,
    write_release,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan import manifest_services
from ansible_collections.slipway.stack.plugins.module_utils.proxy import TRAEFIK_GROUP
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    PROBE_TOKEN,
    probe_token,
    public_routes,
)

from tests.unit.release.conftest import Chowned
from tests.unit.release.fakes import NEW, OLD, FakeEngine, manifest, model, release, with_service

SECRETS: dict[str, Any] = {
    "services": {"backend": {"uid": 10001, "values": {"key": "k-value", "password": "p\nvalue"}}},
    "users": "",
}


def content(wanted: dict[str, Any] | None = None, one: Release | None = None) -> Content:
    wanted, one = wanted or model(), one or release()
    return Content(
        compose=yaml.safe_dump(compose_definition(wanted, one)),
        routes=f"# slipway release: {one.id}\n" + yaml.safe_dump(public_routes(wanted, one)),
        secrets=SECRETS,
        volumes=volumes_of(wanted),
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(path: Path) -> list[Path]:
    return sorted(path.rglob("*"))


def test_secrets_are_decoded_as_the_role_encodes_them() -> None:
    assert read_secrets(base64.b64encode(json.dumps(SECRETS).encode()).decode()) == SECRETS


def test_a_release_holds_its_files_and_nothing_else(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    write_release(directory, manifest(), content(), engine)
    path = directory.release(NEW)
    assert [str(one.relative_to(path)) for one in everything(path)] == [
        "compose.yml",
        "manifest.json",
        "routes.yml",
        "secrets",
        "secrets/backend",
        "secrets/backend/key",
        "secrets/backend/password",
        "volumes",
        "volumes/manifest",
    ]
    assert directory.manifest(NEW) == manifest()
    assert list(directory.releases.iterdir()) == [path]


def test_a_secret_is_its_readers_alone(
    directory: StackDirectory, engine: FakeEngine, chowned: Chowned
) -> None:
    write_release(directory, manifest(), content(), engine)
    path = directory.release(NEW) / "secrets"
    assert (path / "backend" / "password").read_text() == "p\nvalue"
    assert mode(path) == mode(path / "backend") == 0o700
    assert mode(path / "backend" / "key") == 0o400
    owners = {Path(one).name: owner for one, owner in chowned.items() if "/secrets/" in one}
    assert owners == {"key": (10001, 10001), "password": (10001, 10001)}


def test_no_secret_stands_in_any_other_file(directory: StackDirectory, engine: FakeEngine) -> None:
    write_release(directory, manifest(), content(), engine)
    others = [
        one
        for one in everything(directory.root)
        if one.is_file() and "secrets" not in one.parts[-3:-1]
    ]
    assert others
    assert not [one for one in others if "k-value" in one.read_text()]


def test_nobody_but_root_reads_a_release(directory: StackDirectory, engine: FakeEngine) -> None:
    old = os.umask(0)
    try:
        write_release(directory, manifest(), content(), engine)
    finally:
        os.umask(old)
    path = directory.release(NEW)
    assert mode(path) == 0o750
    assert {mode(path / name) for name in ("compose.yml", "routes.yml", "manifest.json")} == {0o640}


def test_volumes_are_made_where_their_scope_says_and_keep_what_they_hold(
    directory: StackDirectory, engine: FakeEngine, chowned: Chowned
) -> None:
    static = directory.root / "volumes" / "static"
    write_release(directory, manifest(), content(), engine)
    assert chowned[str(static)] == (10001, 10001)
    assert not (directory.root / "volumes" / "manifest").exists()
    (static / "app.css").write_text("body {}")
    chowned.clear()
    write_release(directory, manifest("20261123-000000-00000000"), content(), engine)
    assert (static / "app.css").read_text() == "body {}"
    assert str(static) not in chowned


def test_the_probers_token_is_on_the_host_and_not_in_what_is_shown(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    write_release(directory, manifest(), content(), engine)
    token = probe_token(directory.key.read_bytes(), "shop")
    routes = (directory.release(NEW) / "routes.yml").read_text()
    shown = comparable(directory, NEW, manifest(OLD))
    assert token in routes
    assert PROBE_TOKEN not in routes
    assert token not in shown
    assert PROBE_TOKEN in shown


def test_assets_have_a_directory_of_the_release_and_a_store(
    directory: StackDirectory, engine: FakeEngine, chowned: Chowned
) -> None:
    wanted = model(volumes=model()["volumes"] | {"static": {"owner": 10001, "scope": "assets"}})
    write_release(directory, manifest(), content(wanted), engine)
    for place in (directory.release(NEW), directory.root):
        assert mode(place / "volumes" / "static") == 0o755
    assert list(chowned.values()).count((10001, 10001)) >= 3


def test_users_are_written_for_traefik_to_read(
    directory: StackDirectory, engine: FakeEngine, chowned: Chowned
) -> None:
    guarded = Content(**{**vars(content()), "secrets": SECRETS | {"users": "team:$2y$05$hash"}})
    write_release(directory, manifest(), guarded, engine)
    path = directory.dynamic / f"shop-{NEW}.users"
    assert path.read_text() == "team:$2y$05$hash"
    assert mode(path) == 0o640
    assert chowned[str(path)] == (-1, TRAEFIK_GROUP)


def test_without_users_traefiks_directory_is_left_alone(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    write_release(directory, manifest(), content(), engine)
    assert everything(directory.dynamic) == []


def test_nothing_of_a_release_is_left_when_compose_refuses_it(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    engine.failing["config"] = "services.backend-1.image must be a string"
    refused = Content(**{**vars(content()), "secrets": SECRETS | {"users": "team:hash"}})
    with pytest.raises(ReleaseError, match=r"refuses the compose file.*must be a string"):
        write_release(directory, manifest(), refused, engine)
    assert everything(directory.releases) == []
    assert everything(directory.dynamic) == []


def test_compose_sees_the_release_before_it_has_its_name(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    write_release(directory, manifest(), content(), engine)
    assert engine.events == [f"config .{NEW}~"]


def test_what_a_killed_deploy_left_is_no_hindrance(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    left = directory.temporary(NEW)
    (left / "secrets").mkdir(parents=True)
    write_release(directory, manifest(), content(), engine)
    assert directory.ids() == [NEW]
    assert not left.exists()


def test_a_release_has_its_manifest_as_soon_as_it_has_its_name(
    directory: StackDirectory, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        write_release(directory, manifest(), content(), engine)
    assert directory.manifests() == []


# the difference that is shown -------------------------------------------------------------------


def shown(
    directory: StackDirectory,
    engine: FakeEngine,
    old: dict[str, Any],
    new: dict[str, Any],
) -> list[str]:
    """Write a release of one model and return the lines by which another model's differs."""
    before = manifest(OLD, bank=1, services=manifest_services(old, OLD, 1))
    after = manifest(NEW, bank=2, services=manifest_services(new, NEW, 2))
    write_release(directory, before, content(old, release(id=OLD, bank=1)), engine)
    left = comparable(directory, OLD, after).splitlines()
    coming = content(new, release(bank=2))
    right = (coming.compose + coming.routes).splitlines()
    changed = [line for line in difflib.unified_diff(left, right, n=0) if line[:2] != "@@"][2:]
    return [f"{line[0]} {line[1:].strip()}" for line in changed]


def test_a_release_that_changes_nothing_shows_no_difference(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    assert shown(directory, engine, model(), model()) == []


def test_only_what_changes_is_shown(directory: StackDirectory, engine: FakeEngine) -> None:
    changed = with_service("frontend", memory="64m")
    assert shown(directory, engine, model(), changed) == [
        "- mem_limit: 256m",
        "+ mem_limit: 64m",
    ]


def test_a_further_replica_shows_no_other_services_addresses(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    found = shown(directory, engine, model(), with_service("backend", replicas=3))
    assert "+ backend-3:" in found
    assert not [line for line in found if line.startswith("-")]
    assert not [line for line in found if "8080" in line]


def test_replicas_beyond_nine_keep_their_places(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    many = with_service("backend", replicas=12)
    assert shown(directory, engine, many, many) == []


def test_before_the_first_release_there_is_nothing_to_compare(directory: StackDirectory) -> None:
    assert comparable(directory, None, manifest()) == ""


def test_no_secret_is_ever_compared(directory: StackDirectory, engine: FakeEngine) -> None:
    write_release(directory, manifest(OLD), content(one=release(id=OLD)), engine)
    assert "k-value" not in comparable(directory, OLD, manifest())
