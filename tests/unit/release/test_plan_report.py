"""What the plan of a deploy says to people."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    FINISH,
    NOTHING,
    ROLL,
    Plan,
    stack_containers,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan_report import plan_lines
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RETIRED,
    SERVING,
    Manifest,
    StackDirectory,
)

from tests.unit.release.fakes import NEW, OLD, manifest, model, provisioned, serve, written
from tests.unit.release.registry import Registry

OLDER = "20261121-101500-00000001"
OLD_IMAGES = {
    "backend": f"registry.example.com/shop/backend@sha256:{'c' * 64}",
    "frontend": f"registry.example.com/shop/frontend@sha256:{'b' * 64}",
}


def secrets(**values: str) -> str:
    services = {"backend": {"uid": 10001, "values": values}}
    return base64.b64encode(json.dumps({"services": services, "users": ""}).encode()).decode()


@pytest.fixture
def registry(directory: StackDirectory) -> Registry:
    return Registry(directory)


@pytest.fixture
def serving(directory: StackDirectory, registry: Registry) -> Manifest:
    one = manifest(OLD, outcome=SERVING, version="1.4.0", images=OLD_IMAGES)
    written(directory, one)
    place = directory.release(OLD) / "secrets" / "backend"
    place.mkdir(parents=True)
    (place / "key").write_text("the old key")
    (place / "password").write_text("hunter2")
    serve(directory, OLD)
    registry.add_release(one)
    return one


def lines(registry: Registry, plan: Plan, **changes: Any) -> list[str]:
    assert registry.directory
    values: dict[str, Any] = {"secrets": secrets(key="the old key", password="hunter2"), "keep": 5}
    return plan_lines(
        registry.directory, plan, model(), stack_containers(registry, "shop"), **(values | changes)
    )


def test_what_serves_needs_nothing(registry: Registry, serving: Manifest) -> None:
    assert lines(registry, Plan(NOTHING, serving, OLD)) == [
        f"shop: {OLD} (version 1.4.0) serves, as wanted. Nothing is to be done."
    ]


def test_an_interrupted_roll_says_what_is_left(registry: Registry, serving: Manifest) -> None:
    registry.set_running(f"shop-{OLD}-worker-1", running=False)
    registry.add(OLDER, "backend-1")
    registry.add(OLDER, "worker-1", Running=False)
    assert lines(registry, Plan(FINISH, serving, OLD)) == [
        f"shop: {OLD} (version 1.4.0) serves, but its roll did not end. This finishes it.",
        f"  starts     shop-{OLD}-worker-1",
        f"  stops      shop-{OLDER}-backend-1, then removes it",
        f"  removes    shop-{OLDER}-worker-1",
    ]


def test_commands_that_are_still_to_come_are_named(registry: Registry, serving: Manifest) -> None:
    serving.pending = ["warm", "tell"]
    assert lines(registry, Plan(FINISH, serving, OLD)) == [
        f"shop: {OLD} (version 1.4.0) serves, but its roll did not end. This finishes it.",
        "  runs       warm after the switch",
        "  runs       tell after the switch",
    ]


def test_a_roll_says_what_differs_and_what_moves(
    directory: StackDirectory, registry: Registry, serving: Manifest
) -> None:
    wanted = secrets(key="the new key", token="tell nobody")
    found = lines(registry, Plan(ROLL, manifest(), OLD), secrets=wanted)
    assert found == [
        f"shop: {OLD} (version 1.4.0) → {NEW} (version 1.4.1)",
        "  image      backend: cccccccccccc → aaaaaaaaaaaa",
        "  image      frontend: bbbbbbbbbbbb, unchanged",
        "  image      worker: none → aaaaaaaaaaaa",
        "  secret     backend: key differs",
        "  secret     backend: password is gone",
        "  secret     backend: token is new",
        "  runs       migrate, collect before the switch",
        "  runs       warm after the switch",
        f"  starts     shop-{NEW}-backend-1",
        f"  starts     shop-{NEW}-backend-2",
        f"  starts     shop-{NEW}-frontend-1",
        f"  starts     shop-{NEW}-worker-1",
        f"  stops      shop-{OLD}-backend-1, then removes it",
        f"  stops      shop-{OLD}-backend-2, then removes it",
        f"  stops      shop-{OLD}-frontend-1, then removes it",
        f"  stops      shop-{OLD}-worker-1, then removes it",
    ]
    text = "\n".join(found)
    assert not [
        one for one in ("the old key", "the new key", "hunter2", "tell nobody") if one in text
    ]


def test_a_first_deploy_comes_from_nothing(registry: Registry) -> None:
    found = lines(registry, Plan(ROLL, manifest(), None))
    assert found[0] == f"shop: nothing → {NEW} (version 1.4.1)"
    assert found[1] == "  image      backend: none → aaaaaaaaaaaa"
    assert not [line for line in found if "secret" in line or "stops" in line]


def test_releases_and_images_that_are_no_longer_kept_are_named(
    directory: StackDirectory, registry: Registry, serving: Manifest
) -> None:
    only_here = f"registry.example.com/shop/backend@sha256:{'d' * 64}"
    elsewhere = f"registry.example.com/shop/backend@sha256:{'e' * 64}"
    images = {"backend": only_here, "worker": elsewhere, "frontend": OLD_IMAGES["frontend"]}
    written(directory, manifest(OLDER, outcome=RETIRED, version="1.3.0", images=images))
    other = provisioned_beside(directory)
    written(other, manifest(OLDER, stack="other", images={"backend": elsewhere}))
    found = lines(registry, Plan(ROLL, manifest(), OLD), keep=2)
    assert [line for line in found if "drops" in line] == [
        f"  drops      {OLDER} (version 1.3.0)",
        f"  drops      image {only_here}",
    ]


def provisioned_beside(directory: StackDirectory) -> StackDirectory:
    return provisioned(directory.host, "other")
