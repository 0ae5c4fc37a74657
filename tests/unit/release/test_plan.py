"""What a deploy would do: nothing, finish, or roll."""

# ruff: noqa: ARG002 - a fake has the signatures of what it stands for

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.engine import EngineError
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    FINISH,
    NOTHING,
    ROLL,
    Plan,
    make_plan,
    unprovisioned,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREPARED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
)

from tests.unit.release.fakes import (
    OLD,
    STACK,
    FakeEngine,
    manifest,
    model,
    serve,
    with_service,
    written,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class Registry(FakeEngine):
    """An engine whose registry has every tag under the digest of its version."""

    def __init__(self, directory: StackDirectory) -> None:
        super().__init__(directory)
        self.asked: list[str] = []
        self.missing: set[str] = set()

    def platform(self) -> str:
        return "linux/amd64"

    def resolve(self, reference: str, platform: str) -> str:
        self.asked.append(reference)
        if reference in self.missing:
            raise EngineError(f"{reference}: manifest unknown")
        name, _, tag = reference.rpartition(":")
        return f"{name}@sha256:{tag.replace('.', '').rjust(64, '0')}"


@pytest.fixture
def registry(directory: StackDirectory) -> Registry:
    return Registry(directory)


def plan(
    registry: Registry, wanted: dict[str, Any] | None = None, version: str = "1.4.1", **more: str
) -> Plan:
    assert registry.directory
    return make_plan(
        registry.directory,
        registry,
        wanted or model(),
        version=version,
        secrets=more.get("secrets", "the secrets"),
        now=NOON,
    )


@pytest.fixture
def deployed(registry: Registry) -> Manifest:
    """Bring the model's release to the host, serving and complete."""
    assert registry.directory
    one = plan(registry).manifest
    one.outcome = SERVING
    written(registry.directory, one)
    serve(registry.directory, one.id)
    registry.add_release(one)
    return one


def test_the_first_deploy_rolls(registry: Registry) -> None:
    found = plan(registry)
    assert (found.action, found.serving) == (ROLL, None)
    assert found.manifest.outcome == PREPARED
    assert found.manifest.bank == 1
    assert found.manifest.routers == ["shop-backend-0", "shop-backend-1", "shop-frontend-0"]


def test_a_manifest_says_what_the_roll_has_to_know(registry: Registry) -> None:
    one = plan(registry).manifest
    backend, worker = one.services["backend"], one.services["worker"]
    assert backend["port"] == 8000
    assert backend["health"]["host"] == "shop.example.com"
    assert backend["health"]["path"] == "/readyz"
    assert backend["containers"] == {
        f"shop-{one.id}-backend-1": "10.213.4.16",
        f"shop-{one.id}-backend-2": "10.213.4.17",
    }
    assert worker["containers"] == {f"shop-{one.id}-worker-1": None}
    assert (backend["probe"], worker["probe"]) == ("/api", None)
    assert not any(service["singleton"] for service in one.services.values())


def test_a_service_is_asked_by_the_name_that_it_answers_to(registry: Registry) -> None:
    wanted = with_service("backend", domains=["api.example.com", "example.com"])
    services = plan(registry, wanted=wanted).manifest.services
    assert services["backend"]["domain"] == "api.example.com"
    assert services["frontend"]["domain"] == "shop.example.com"


def test_a_manifest_lists_the_assets(registry: Registry) -> None:
    source = {"service": "frontend", "path": "/html/assets"}
    volume = {"owner": 101, "scope": "assets", "from": source}
    one = plan(registry, wanted=model(volumes=model()["volumes"] | {"pages": volume})).manifest
    assert one.assets == {"pages": {"owner": 101, "from": source}}


def test_deploying_what_serves_does_nothing(registry: Registry, deployed: Manifest) -> None:
    assert plan(registry) == Plan(NOTHING, deployed, deployed.id)


def test_planning_changes_nothing_on_the_host(registry: Registry, deployed: Manifest) -> None:
    plan(registry, version="1.5.0")
    assert registry.events == []
    assert registry.directory
    assert registry.directory.ids() == [deployed.id]


def test_without_a_version_the_one_that_serves_is_meant(
    registry: Registry, deployed: Manifest
) -> None:
    assert plan(registry, version="") == Plan(NOTHING, deployed, deployed.id)


def test_a_first_deploy_without_a_version_says_how_to_choose_one(registry: Registry) -> None:
    with pytest.raises(ReleaseError, match=r"No version is known: shop .*-e stack_version="):
        plan(registry, version="")
    assert registry.asked == []


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "1.5.0"},
        {"secrets": "other secrets"},
        {"wanted": with_service("backend", environment={"PRICE": "6$"})},
    ],
    ids=["version", "secret", "configuration"],
)
def test_any_change_rolls_a_release_with_a_bank_of_its_own(
    registry: Registry, deployed: Manifest, changed: dict[str, Any]
) -> None:
    found = plan(registry, **changed)
    assert (found.action, found.serving) == (ROLL, deployed.id)
    assert found.manifest.id > deployed.id
    assert found.manifest.bank == 2


def test_going_back_to_an_old_version_rolls_a_release_of_its_own(
    registry: Registry, deployed: Manifest
) -> None:
    assert registry.directory
    written(registry.directory, manifest(OLD, outcome=RETIRED, version="1.4.0"))
    found = plan(registry, version="1.4.0")
    assert found.action == ROLL
    assert found.manifest.id not in {OLD, deployed.id}


def unrecorded(registry: Registry, one: Manifest) -> None:
    assert registry.directory
    one.outcome = PREPARED
    registry.directory.write_manifest(one)


def stopped(registry: Registry, one: Manifest) -> None:
    registry.there[f"shop-{one.id}-backend-2"]["State"]["Running"] = False


def gone(registry: Registry, one: Manifest) -> None:
    del registry.there[f"shop-{one.id}-worker-1"]


def old_left(registry: Registry, one: Manifest) -> None:
    registry.add(OLD, "backend-1")


@pytest.mark.parametrize("interrupt", [unrecorded, stopped, gone, old_left])
def test_what_serves_but_is_not_complete_is_finished(
    registry: Registry, deployed: Manifest, interrupt: Callable[[Registry, Manifest], None]
) -> None:
    interrupt(registry, deployed)
    found = plan(registry)
    assert (found.action, found.manifest.id) == (FINISH, deployed.id)


def test_each_image_is_asked_for_once(registry: Registry) -> None:
    plan(registry)
    assert registry.asked == [
        "registry.example.com/shop/backend:1.4.1",
        "registry.example.com/shop/frontend:1.4.1",
    ]


def test_a_missing_image_names_its_service_and_what_to_check(registry: Registry) -> None:
    registry.missing = {"registry.example.com/shop/frontend:1.4.1"}
    with pytest.raises(ReleaseError) as caught:
        plan(registry)
    message = str(caught.value)
    assert "stack_services.frontend cannot be had" in message
    assert "manifest unknown" in message
    assert "stack_version ('1.4.1')" in message
    assert "docker_registries" in message


# provisioning -----------------------------------------------------------------------------------


def answering() -> None:
    """Answer as a proxy does that runs."""


def silent() -> None:
    raise ReleaseError("Traefik's API does not answer")


def test_a_provisioned_host_misses_nothing(directory: StackDirectory, engine: FakeEngine) -> None:
    assert unprovisioned(directory, engine, answering) == []


def test_everything_that_a_host_misses_is_listed_at_once(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    directory.key.unlink()
    engine.networks = [f"{STACK}-edge"]
    assert unprovisioned(directory, engine, silent) == [
        f"{directory.key} is missing",
        "network shop-app is missing",
        "network shop-data is missing",
        "Traefik's API does not answer",
    ]


def test_a_stack_that_the_host_does_not_know_is_missing(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    other = StackDirectory(directory.host, "other")
    found = unprovisioned(other, engine, answering)
    assert found[0] == f"{other.root} is missing"
    assert "network other-edge is missing" in found


def test_a_host_without_an_engine_is_not_provisioned(
    directory: StackDirectory, engine: FakeEngine
) -> None:
    engine.failing["network ls"] = "There is no 'docker' command on the host."
    assert unprovisioned(directory, engine, answering) == [engine.failing["network ls"]]
