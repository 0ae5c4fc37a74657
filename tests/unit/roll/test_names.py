"""Names of several stacks on one host never meet, and a release keeps the names that it has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.canary import canary_routes
from ansible_collections.slipway.stack.plugins.module_utils.definition import project_name
from ansible_collections.slipway.stack.plugins.module_utils.plan import manifest_services
from ansible_collections.slipway.stack.plugins.module_utils.proxy import release_of
from ansible_collections.slipway.stack.plugins.module_utils.recognisers import (
    is_service_name,
    is_stack_name,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RETIRED,
    SERVING,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    private_routes,
    public_routes,
    read_routes,
    routes_text,
    users_file,
)

from tests.unit.release.fakes import NEW, OLD, model, release
from tests.unit.roll.stage import Stage

# Each could be another's name with a service, a release or one of Slipway's own words behind it.
STACKS = [
    *("shop", "shop-eu", "shop-eu-web", "shop--eu", "shop-next", "shop-probe", "shop-draw"),
    *("shop-headers", "shop-postgres", "shop-20261122", "shop-20261122-101500"),
]
SERVICES = ["web", "eu-web", "eu-web-next", "next", "probe", "draw", "a20261122-183000-b81d02aa"]
KINDS = ("routers", "services", "middlewares", "serversTransports")


def stack_model(stack: str) -> dict[str, Any]:
    service = {"image": "web", "port": 8000}
    services = {
        name: service | {"paths": [f"/{number}", f"/{number}/more"]}
        for number, name in enumerate(SERVICES)
    }
    return model(name=stack, services=services)


def files(stack: str) -> Iterator[dict[str, Any]]:
    """Yield what Traefik may read of a stack at the same time."""
    images = dict.fromkeys(SERVICES, f"web@sha256:{'a' * 64}")
    old, new = (
        public_routes(stack_model(stack), release(id=one, bank=bank, images=images))
        for one, bank in ((OLD, 1), (NEW, 2))
    )
    yield old
    yield new
    yield private_routes(new, NEW)
    yield canary_routes(stack, old, new, old_id=OLD, new_id=NEW, percent=5, steps=[5, 25])


def routed_names(stack: str) -> set[tuple[str, str]]:
    return {(kind, name) for one in files(stack) for kind in KINDS for name in one["http"][kind]}


def host_names(stack: str) -> set[str]:
    """Name the files in Traefik's directory, the compose projects and the containers of a stack."""
    directory = StackDirectory(Path("/srv/slipway"), stack)
    names = {directory.routes.name, directory.private_routes.name, f"{stack}-certificate.yml"}
    names |= {f"{stack}-data", f"{stack}-postgres"}
    for one in (OLD, NEW):
        names |= {users_file(stack, one), project_name(stack, one)}
        services = manifest_services(stack_model(stack), one, 1)
        names |= {container for each in services.values() for container in each["containers"]}
    return names


def test_all_these_names_are_allowed() -> None:
    assert all(is_stack_name(stack) for stack in STACKS)
    assert all(is_service_name(service) for service in SERVICES)


@pytest.mark.parametrize("names", [routed_names, host_names])
def test_no_two_stacks_share_a_name(names: Any) -> None:
    found = {stack: names(stack) for stack in STACKS}
    for one, other in itertools.combinations(STACKS, 2):
        assert not found[one] & found[other]


def test_what_traefik_shows_is_told_to_be_one_stacks_alone() -> None:
    for stack in STACKS:
        for one in files(stack):
            for router in one["http"]["routers"].values():
                owners = [each for each in STACKS if release_of(each, router["service"])]
                assert owners == [stack]


# a release whose routers are called <stack>-<service>-<number>, as they were ----------------------


@pytest.fixture
def renamed(stage: Stage) -> Stage:
    """Have a release serve that was made before routers got their names of today."""
    path = stage.directory.release(OLD) / "routes.yml"
    routes = read_routes(path.read_text())
    routes["http"]["routers"] = {
        name.replace("_", "-"): router for name, router in routes["http"]["routers"].items()
    }
    assert "shop-backend-0-probe" in routes["http"]["routers"]
    path.write_text(routes_text(OLD, routes))
    stage.serve(OLD)
    return stage


def test_a_roll_from_a_release_with_other_names_is_confirmed(renamed: Stage) -> None:
    renamed.roll(canary=[5, 100])
    assert renamed.directory.serving() == NEW
    assert renamed.proxy.ways == {NEW}
    outcomes = {one.id: one.outcome for one in renamed.directory.manifests()}
    assert outcomes == {NEW: SERVING, OLD: RETIRED}


@pytest.mark.parametrize("bad", ["smoke", "canary 5 %", "soak"])
def test_going_back_to_a_release_with_other_names_is_confirmed(renamed: Stage, bad: str) -> None:
    before = renamed.directory.routes.read_text()
    renamed.trial.bad[bad] = "it is bad"
    with pytest.raises(ReleaseError) as caught:
        renamed.roll(canary=[5, 100])
    assert str(caught.value) == "it is bad"
    assert renamed.directory.routes.read_text() == before
    assert renamed.proxy.ways == {OLD}
    assert renamed.containers(NEW) == []
