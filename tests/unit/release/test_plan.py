"""What a deploy would do: nothing, finish, or roll."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.freeze import Freeze, set_freeze
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    FINISH,
    NOTHING,
    ROLL,
    Plan,
    Wish,
    make_plan,
    plan_deploy,
    unprovisioned,
)
from ansible_collections.slipway.stack.plugins.module_utils.preflight import Lookup
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.registry import ImagesUnavailable
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PREPARED,
    RETIRED,
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import router_names

from tests.unit.release.fakes import (
    OLD,
    STACK,
    manifest,
    model,
    secrets,
    serve,
    with_service,
    written,
)
from tests.unit.release.registry import Registry

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


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
        secrets=more.get("secrets") or secrets(),
        actor={"who": more.get("who", "ada")},
        now=NOON,
    )


@pytest.fixture
def deployed(registry: Registry) -> Manifest:
    """Bring the model's release to the host, serving and complete."""
    assert registry.directory
    one = plan(registry).manifest
    one.outcome, one.pending = SERVING, []
    written(registry.directory, one)
    serve(registry.directory, one.id)
    registry.add_release(one)
    return one


def test_the_first_deploy_rolls(registry: Registry) -> None:
    found = plan(registry)
    assert (found.action, found.serving) == (ROLL, None)
    assert found.manifest.outcome == PREPARED
    assert found.manifest.bank == 1
    assert found.manifest.routers == router_names(model())
    assert found.manifest.pending == ["warm"]


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
        {"secrets": secrets(key="another")},
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


def command_pending(registry: Registry, one: Manifest) -> None:
    assert registry.directory
    one.pending = ["warm"]
    registry.directory.write_manifest(one)


def stopped(registry: Registry, one: Manifest) -> None:
    registry.there[f"shop-{one.id}-backend-2"]["State"]["Running"] = False


def gone(registry: Registry, one: Manifest) -> None:
    del registry.there[f"shop-{one.id}-worker-1"]


def old_left(registry: Registry, one: Manifest) -> None:
    registry.add(OLD, "backend-1")


@pytest.mark.parametrize("interrupt", [unrecorded, command_pending, stopped, gone, old_left])
def test_what_serves_but_is_not_complete_is_finished(
    registry: Registry, deployed: Manifest, interrupt: Callable[[Registry, Manifest], None]
) -> None:
    interrupt(registry, deployed)
    found = plan(registry)
    assert (found.action, found.manifest.id) == (FINISH, deployed.id)


def test_who_deploys_goes_into_the_manifest_and_makes_no_difference(
    registry: Registry, deployed: Manifest
) -> None:
    assert deployed.actor == {"who": "ada"}
    assert plan(registry, who="grace").action == NOTHING


def test_each_image_is_asked_for_once(registry: Registry) -> None:
    plan(registry)
    assert sorted(registry.asked) == [
        "registry.example.com/shop/backend:1.4.1",
        "registry.example.com/shop/frontend:1.4.1",
    ]


def test_all_missing_images_are_named_at_once(registry: Registry) -> None:
    registry.missing = {
        "registry.example.com/shop/backend:1.4.1": "dial tcp: lookup registry: no such host",
        "registry.example.com/shop/frontend:1.4.1": "manifest unknown",
    }
    with pytest.raises(ImagesUnavailable) as caught:
        plan(registry)
    backend, frontend = caught.value.problems
    assert "stack_services.backend cannot be had" in backend
    assert "stack_services.frontend cannot be had" in frontend


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "dial tcp: lookup registry.example.com on 127.0.0.53:53: no such host",
            "the name of the registry registry.example.com does not resolve on the host",
        ),
        ("unauthorized: authentication required", "refuses the login"),
        ("denied: requested access to the resource is denied", "docker_registries['registry.ex"),
        ("manifest unknown: manifest unknown", "has no such tag. Check stack_version ('1.4.1')"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "does not answer"),
        ("net/http: request canceled (Client.Timeout exceeded)", "does not answer"),
        ("tls: failed to verify certificate: x509: unknown authority", "does not trust"),
        ("it is built for linux/arm64, but the host is linux/amd64", "it is built for linux/arm64"),
    ],
)
def test_a_missing_image_says_why_and_what_to_do(registry: Registry, said: str, cause: str) -> None:
    registry.missing = {"registry.example.com/shop/frontend:1.4.1": said}
    with pytest.raises(ReleaseError) as caught:
        plan(registry)
    assert cause in str(caught.value)
    assert said in str(caught.value)


# provisioning -----------------------------------------------------------------------------------


def answering() -> None:
    """Answer as a proxy does that runs."""


def silent() -> None:
    raise ReleaseError("Traefik's API does not answer")


def test_a_provisioned_host_misses_nothing(directory: StackDirectory, registry: Registry) -> None:
    assert unprovisioned(directory, registry, answering) == []


def test_everything_that_a_host_misses_is_listed_at_once(
    directory: StackDirectory, registry: Registry
) -> None:
    directory.key.unlink()
    registry.networks = [f"{STACK}-edge"]
    assert unprovisioned(directory, registry, silent) == [
        f"{directory.key} is missing",
        "network shop-app is missing",
        "network shop-data is missing",
        "Traefik's API does not answer",
    ]


def test_a_stack_that_the_host_does_not_know_is_missing(
    directory: StackDirectory, registry: Registry
) -> None:
    other = StackDirectory(directory.host, "other")
    found = unprovisioned(other, registry, answering)
    assert found[0] == f"{other.root} is missing"
    assert "network other-edge is missing" in found


def test_a_host_without_an_engine_is_not_provisioned(
    directory: StackDirectory, registry: Registry
) -> None:
    registry.failing["ask"] = "The Docker Engine does not answer"
    assert unprovisioned(directory, registry, answering) == [registry.failing["ask"]]


# the whole ---------------------------------------------------------------------------------------


class Quiet(Proxy):
    """Traefik's API, as far as a plan asks it."""

    version = "3.7.15"

    def __init__(self) -> None:
        super().__init__("192.0.2.1")

    def get(self, path: str) -> Any:
        assert path == "/api/version"
        return {"Version": self.version}


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lookup, "_resolve", lambda _: None)
    monkeypatch.setattr(Lookup, "warning", lambda _: "")


def wish(registry: Registry, **changes: Any) -> Wish:
    assert registry.directory
    values: dict[str, Any] = {
        "directory": registry.directory,
        "model": model(),
        "version": "1.4.1",
        "secrets": secrets(),
        "actor": {"who": "ada", "run_number": 42},
        "min_free_disk": "1k",
    }
    return Wish(**(values | changes))


def test_a_deploy_that_nothing_stands_against_is_planned(registry: Registry) -> None:
    found = plan_deploy(wish(registry), registry, Quiet(), NOON)
    assert (found.action, found.warnings) == (ROLL, ())
    assert found.manifest.actor == {"who": "ada", "run_number": 42}


def test_all_refusals_come_at_once(
    directory: StackDirectory, registry: Registry, deployed: Manifest
) -> None:
    deployed.actor = {"run_number": 43}
    directory.write_manifest(deployed)
    set_freeze(directory, Freeze(reason="moving house", who="ada", since="2026-11-23T09:00:00Z"))
    registry.missing = {"registry.example.com/shop/frontend:1.5.0": "manifest unknown"}
    proxy = Quiet()
    proxy.version = "3.7.2"
    with pytest.raises(ReleaseError) as caught:
        plan_deploy(
            wish(registry, version="1.5.0", min_free_disk="999999999g"), registry, proxy, NOON
        )
    header, *refusals, serving = str(caught.value).splitlines()
    assert header == "This deploy is refused; nothing was changed:"
    assert [refusal[:10] for refusal in refusals] == [
        "- Image: t",
        "- The stac",
        "- The rele",
        "- Disk: /v",
        "- Traefik ",
    ]
    assert serving == f"{deployed.id} serves."


def test_what_serves_may_be_deployed_in_a_freeze(
    directory: StackDirectory, registry: Registry, deployed: Manifest
) -> None:
    set_freeze(directory, Freeze(reason="moving house", who="ada", since="2026-11-23T09:00:00Z"))
    found = plan_deploy(wish(registry), registry, Quiet(), NOON)
    assert found == Plan(NOTHING, deployed, deployed.id)
    ignoring = wish(registry, version="1.5.0", ignore_freeze=True)
    assert plan_deploy(ignoring, registry, Quiet(), NOON).action == ROLL


def test_to_finish_takes_no_further_room(
    directory: StackDirectory, registry: Registry, deployed: Manifest
) -> None:
    unrecorded(registry, deployed)
    found = plan_deploy(wish(registry, min_free_disk="999999999g"), registry, Quiet(), NOON)
    assert found.action == FINISH


def test_a_host_that_is_not_provisioned_is_refused_first(
    directory: StackDirectory, registry: Registry
) -> None:
    directory.key.unlink()
    with pytest.raises(ReleaseError, match=r"(?s)not provisioned for the stack 'shop'.*provision"):
        plan_deploy(wish(registry), registry, Quiet(), NOON)
