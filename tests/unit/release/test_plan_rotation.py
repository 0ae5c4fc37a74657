"""What a rotation of secrets would do: which services it rolls, and what it refuses."""

from __future__ import annotations

import base64
import difflib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    compose_definition,
)
from ansible_collections.slipway.stack.plugins.module_utils.files import (
    Content,
    comparable,
    write_release,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan import (
    NOTHING,
    ROLL,
    Plan,
    make_plan,
    stack_containers,
    starting,
)
from ansible_collections.slipway.stack.plugins.module_utils.plan_report import plan_lines
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    ANY_SUFFIX,
    HEALTHY_SUFFIX,
    public_routes,
    routes_text,
)

from tests.unit.release.fakes import model, secrets, serve, with_service
from tests.unit.release.registry import Registry

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def registry(directory: StackDirectory) -> Registry:
    return Registry(directory)


def plan(registry: Registry, wanted: dict[str, Any] | None = None, **how: Any) -> Plan:
    assert registry.directory
    values: dict[str, Any] = {"version": "", "secrets": secrets(), "rotate": True} | how
    return make_plan(
        registry.directory, registry, wanted or model(), actor={"who": "ada"}, now=NOON, **values
    )


def bring(registry: Registry, one: Manifest, given: str) -> Manifest:
    """Have a planned release serve, with its files, its secrets and its containers."""
    assert registry.directory
    one.outcome, one.pending = SERVING, []
    release = Release.from_mapping(asdict(one))
    write_release(
        registry.directory,
        one,
        Content(
            compose=json.dumps(compose_definition(model(), release), indent=1) + "\n",
            routes=routes_text(one.id, public_routes(model(), release)),
            secrets=json.loads(base64.b64decode(given)),
            volumes={},
        ),
        registry,
    )
    serve(registry.directory, one.id)
    for name in starting(one):
        for number in range(1, len(one.services[name]["containers"]) + 1):
            registry.add(one.id, f"{name}-{number}")
    return one


@pytest.fixture
def deployed(registry: Registry) -> Manifest:
    found = plan(registry, version="1.4.1", rotate=False)
    registry.asked.clear()
    return bring(registry, found.manifest, secrets())


def test_the_same_secrets_need_no_rotation(registry: Registry, deployed: Manifest) -> None:
    assert plan(registry).action == NOTHING


@pytest.mark.parametrize(
    ("changed", "rolled"),
    [
        ({"password": "another"}, {"backend"}),
        ({"key": "another"}, {"backend", "worker"}),
        ({"users": "team:hash"}, set()),
    ],
)
def test_only_the_readers_of_what_changed_are_rolled(
    registry: Registry, deployed: Manifest, changed: dict[str, str], rolled: set[str]
) -> None:
    found = plan(registry, secrets=secrets(**changed))
    assert (found.action, found.serving) == (ROLL, deployed.id)
    assert starting(found.manifest) == rolled
    for name in deployed.services.keys() - rolled:
        mine, theirs = found.manifest.services[name], deployed.services[name]
        assert mine["containers"] == theirs["containers"]
        assert found.manifest.home(name) == deployed.id


def test_a_plain_deploy_of_a_changed_secret_rolls_every_service(
    registry: Registry, deployed: Manifest
) -> None:
    found = plan(registry, secrets=secrets(password="another"), rotate=False)
    assert starting(found.manifest) == set(deployed.services)


def test_a_rotation_asks_no_registry_and_keeps_what_serves(
    registry: Registry, deployed: Manifest
) -> None:
    found = plan(registry, secrets=secrets(password="another"))
    assert registry.asked == []
    assert found.manifest.images == deployed.images
    assert found.manifest.version == deployed.version


def test_what_stays_keeps_its_addresses_in_files_and_routes(
    registry: Registry, deployed: Manifest
) -> None:
    one = plan(registry, secrets=secrets(password="another")).manifest
    release = Release.from_mapping(asdict(one))
    services = public_routes(model(), release)["http"]["services"]
    (frontend,) = deployed.services["frontend"]["containers"].values()
    for suffix in (HEALTHY_SUFFIX, ANY_SUFFIX):
        server = services[f"shop-{one.id}-frontend{suffix}"]["loadBalancer"]["servers"]
        assert server == [{"url": f"http://{frontend}:8080"}]
    backend = services[f"shop-{one.id}-backend{HEALTHY_SUFFIX}"]["loadBalancer"]["servers"]
    moved = {server["url"] for server in backend}
    assert moved == {"http://10.213.4.32:8000", "http://10.213.4.33:8000"}
    entries = compose_definition(model(), release)["services"]
    assert entries["frontend-1"]["networks"]["edge"]["ipv4_address"] == frontend


def test_a_rotation_shows_no_difference_of_files(registry: Registry, deployed: Manifest) -> None:
    """Nor does the deploy after it, in which everything moves on."""
    assert registry.directory
    given = secrets(password="another")
    rotated = bring(registry, plan(registry, secrets=given).manifest, given)
    next_one = plan(registry, version="1.4.1", secrets=secrets(), rotate=False).manifest
    for before, after in ((deployed, rotated), (rotated, next_one)):
        release = Release.from_mapping(asdict(after))
        coming = json.dumps(compose_definition(model(), release), indent=1) + "\n"
        coming += routes_text(after.id, public_routes(model(), release))
        there = comparable(registry.directory, before.id, after)
        assert not [*difflib.unified_diff(there.splitlines(), coming.splitlines())]


def test_a_rotation_after_a_rotation_takes_over_from_both(
    registry: Registry, deployed: Manifest
) -> None:
    given = secrets(password="another")
    rotated = bring(registry, plan(registry, secrets=given).manifest, given)
    found = plan(registry, secrets=secrets(password="another", key="another")).manifest
    assert starting(found) == {"backend", "worker"}
    third = plan(registry, secrets=secrets(password="another", users="team:hash")).manifest
    assert third.home("backend") == rotated.id
    assert third.home("worker") == deployed.id


def test_what_does_not_run_is_made_anew(registry: Registry, deployed: Manifest) -> None:
    registry.set_running(f"shop-{deployed.id}-frontend-1", running=False)
    found = plan(registry, secrets=secrets(password="another"))
    assert starting(found.manifest) == {"backend", "frontend"}


@pytest.mark.parametrize(
    "wanted",
    [
        with_service("backend", environment={"PRICE": "6$"}),
        with_service("worker", secrets=[]),
        model(noindex=True),
        model(services={**model()["services"], "further": model()["services"]["worker"]}),
        model(services={"backend": model()["services"]["backend"]}, commands=[]),
    ],
    ids=["environment", "secrets", "routes", "another service", "fewer services"],
)
def test_more_than_secrets_is_refused(
    registry: Registry, deployed: Manifest, wanted: dict[str, Any]
) -> None:
    with pytest.raises(ReleaseError, match=r"More than secrets differs .*deploy\.yml"):
        plan(registry, wanted, secrets=secrets(password="another"))


def test_a_release_of_an_earlier_version_is_to_be_deployed_once(
    registry: Registry, deployed: Manifest
) -> None:
    assert registry.directory
    deployed.definition = ""
    registry.directory.write_manifest(deployed)
    with pytest.raises(ReleaseError, match=r"earlier version of Slipway.*deploy\.yml"):
        plan(registry, secrets=secrets(password="another"))


def test_without_a_release_there_is_nothing_to_rotate(registry: Registry) -> None:
    with pytest.raises(ReleaseError, match=r"Nothing serves in the stack 'shop'.*deploy\.yml"):
        plan(registry)


def test_the_plan_names_secrets_and_shows_none(registry: Registry, deployed: Manifest) -> None:
    assert registry.directory
    given = secrets(password="hunter2", users="team:hunter2")
    found = plan(registry, secrets=given)
    there = stack_containers(registry, "shop")
    lines = plan_lines(registry.directory, found, model(), there, secrets=given, keep=5)
    new, old = found.manifest.id, deployed.id
    assert lines == [
        f"shop: {old} (version 1.4.1) → {new} (version 1.4.1)",
        *(f"  image      {name}: 000000000000, unchanged" for name in deployed.images),
        "  secret     backend: password differs",
        "  secret     stack_basic_auth: users differs",
        "  runs       migrate, collect before the switch",
        "  runs       warm after the switch",
        f"  stays      shop-{old}-frontend-1",
        f"  stays      shop-{old}-worker-1",
        f"  starts     shop-{new}-backend-1",
        f"  starts     shop-{new}-backend-2",
        f"  stops      shop-{old}-backend-1, then removes it",
        f"  stops      shop-{old}-backend-2, then removes it",
    ]
    assert "hunter2" not in str(asdict(found.manifest))
