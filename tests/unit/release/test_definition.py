"""The compose file of a release, as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.filter.definition import FilterModule
from ansible_collections.slipway.stack.plugins.module_utils.data import data_definition
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    COMMAND_DEFAULTS,
    RELEASE_LABEL,
    SERVICE_DEFAULTS,
    SINGLETON_LABEL,
    STACK_LABEL,
    VOLUME_DEFAULTS,
    assets_of,
    compose_definition,
    image_reference,
    literal,
    probe_path,
    services_of,
)

from tests.unit.release.fakes import DIGESTS, NEW, STACK, model, release, with_service

ROOT = Path(__file__).parents[3]
DATA = {
    "stack": STACK,
    "subnet": "10.213.4.0/22",
    "image": "postgres:17",
    "database": "app",
    "user": "app",
    "memory": "1g",
    "cpus": 2.0,
    "shm": "128m",
    "options": {"work_mem": "8MB", "max_connections": 200},
}


def compose(wanted: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return compose_definition(wanted or model(), release(**changes))


def entries(wanted: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = compose(wanted)["services"]
    return services


def every_container() -> list[tuple[str, dict[str, Any]]]:
    return [*entries().items(), *data_definition(DATA)["services"].items()]


# compose file -----------------------------------------------------------------------------------


def test_each_replica_is_an_entry_with_an_address_of_its_own() -> None:
    found = {
        name: entry["networks"]["edge"]["ipv4_address"]
        for name, entry in entries().items()
        if "edge" in entry.get("networks", {})
    }
    assert found == {
        "backend-1": "10.213.4.32",
        "backend-2": "10.213.4.33",
        "frontend-1": "10.213.4.34",
    }


def test_containers_carry_the_names_and_labels_that_the_roll_looks_for() -> None:
    entry = entries()["backend-2"]
    assert entry["container_name"] == f"shop-{NEW}-backend-2"
    assert entry["labels"][STACK_LABEL] == "shop"
    assert entry["labels"][RELEASE_LABEL] == NEW


def test_every_container_runs_its_services_image_by_digest() -> None:
    for name, entry in entries().items():
        service = name.rsplit("-", 1)[0] if name[-1].isdigit() else "backend"
        assert entry["image"] == DIGESTS[service]


def test_dollar_signs_are_doubled_wherever_compose_would_interpolate_them() -> None:
    found = entries()
    assert found["backend-1"]["environment"]["PRICE"] == "5$$"
    assert found["worker-1"]["command"] == ["work", "--rate=$$RATE"]
    assert found["worker-1"]["healthcheck"]["test"] == ["CMD", "check", "$$HOME"]
    assert literal(["$", "a$b"]) == ["$$", "a$$b"]
    migrate = model(commands=[{"name": "m", "service": "backend", "command": ["echo", "$A"]}])
    assert entries(migrate)["m"]["command"] == ["echo", "$$A"]


def test_a_services_environment_beats_the_stacks_and_nothing_beats_the_releases() -> None:
    wanted = with_service("backend", environment={"LANG": "de", "SLIPWAY_VERSION": "lie"})
    assert entries(wanted)["backend-1"]["environment"] == {
        "LANG": "de",
        "SLIPWAY_RELEASE": NEW,
        "SLIPWAY_VERSION": "1.4.1",
        "SLIPWAY_STOP_SECONDS": "25",
        "SLIPWAY_PROXIES": "1",
    }


def test_secrets_go_to_their_readers_alone() -> None:
    wanted = compose()
    readers = {name: entry.get("secrets", []) for name, entry in wanted["services"].items()}
    both = [
        {"source": "backend-key", "target": "key"},
        {"source": "backend-password", "target": "password"},
    ]
    assert readers == {
        "backend-1": both,
        "backend-2": both,
        "migrate": both,
        "collect": both,
        "warm": both,
        "frontend-1": [],
        "worker-1": [{"source": "worker-key", "target": "key"}],
    }
    assert wanted["secrets"]["worker-key"] == {"file": "./secrets/worker/key"}
    assert len(wanted["secrets"]) == 3


def test_the_secrets_filter_gives_each_reader_its_uid_and_exactly_its_values() -> None:
    values = {"key": "k", "password": "p", "unused": "u"}
    assert FilterModule().filters()["secrets_by_service"](model(), values) == {
        "backend": {"uid": 10001, "values": {"key": "k", "password": "p"}},
        "worker": {"uid": 10001, "values": {"key": "k"}},
    }


@pytest.mark.parametrize(("name", "entry"), every_container())
def test_no_container_publishes_a_port(name: str, entry: dict[str, Any]) -> None:
    assert not {"ports", "expose", "network_mode"} & set(entry) or entry["network_mode"] == "none"


@pytest.mark.parametrize(("name", "entry"), every_container())
def test_every_container_is_confined_and_limited(name: str, entry: dict[str, Any]) -> None:
    assert entry["cap_drop"] == ["ALL"]
    assert entry["security_opt"] == ["no-new-privileges:true"]
    assert entry["read_only"] is True
    assert entry["mem_limit"]
    assert entry["cpus"]
    assert entry["pids_limit"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(entry)


def test_every_container_of_the_model_runs_as_its_services_uid() -> None:
    assert {name: entry.get("user") for name, entry in entries().items()} == {
        **dict.fromkeys(["backend-1", "backend-2", "migrate", "collect", "warm"], "10001:10001"),
        "frontend-1": "101:101",
        "worker-1": "10001:10001",
    }


def test_a_writable_root_and_capabilities_have_to_be_asked_for() -> None:
    wanted = with_service("backend", read_only=False, capabilities=["NET_BIND_SERVICE"])
    entry = entries(wanted)["backend-1"]
    assert entry["read_only"] is False
    assert entry["cap_drop"] == ["ALL"]
    assert entry["cap_add"] == ["NET_BIND_SERVICE"]


@pytest.mark.parametrize(
    ("stop_timeout", "drain_timeout", "grace"),
    [(None, 30, "30s"), (90, 30, "90s"), (10, 30, "30s"), (10, 5, "10s")],
)
def test_the_stop_grace_period_is_never_shorter_than_the_drain(
    stop_timeout: int | None, drain_timeout: int, grace: str
) -> None:
    wanted = with_service("backend", stop_timeout=stop_timeout) | {"drain_timeout": drain_timeout}
    assert entries(wanted)["backend-1"]["stop_grace_period"] == grace
    assert entries(wanted)["frontend-1"]["stop_grace_period"] == f"{drain_timeout}s"


@pytest.mark.parametrize(
    ("stop_timeout", "drain_timeout", "seconds"), [(None, 30, "25"), (90, 30, "85"), (None, 3, "1")]
)
def test_an_application_is_told_to_end_before_the_engine_ends_it(
    stop_timeout: int | None, drain_timeout: int, seconds: str
) -> None:
    wanted = with_service("backend", stop_timeout=stop_timeout) | {"drain_timeout": drain_timeout}
    for name in ("backend-1", "migrate"):
        assert entries(wanted)[name]["environment"]["SLIPWAY_STOP_SECONDS"] == seconds


def test_only_a_singletons_own_containers_are_labelled_as_such() -> None:
    wanted = with_service("worker", singleton=True)
    wanted["commands"].append({"name": "seed", "service": "worker", "command": ["seed"]})
    found = {name: entry["labels"].get(SINGLETON_LABEL) for name, entry in entries(wanted).items()}
    assert {name for name, label in found.items() if label} == {"worker-1"}
    assert found["worker-1"] == "1"


def test_one_shots_run_one_after_the_other_and_every_container_waits_for_the_last() -> None:
    done = {"condition": "service_completed_successfully"}
    containers = ["backend-1", "backend-2", "frontend-1", "worker-1"]
    assert {name: entry.get("depends_on") for name, entry in entries().items()} == {
        "migrate": None,
        "collect": {"migrate": done},
        "warm": None,
        **{name: {"collect": done} for name in containers},
    }


def test_without_one_shots_nothing_waits() -> None:
    assert not any("depends_on" in entry for entry in entries(model(commands=[])).values())


def test_commands_after_the_switch_have_a_profile_and_no_other_entry_has() -> None:
    found = {name: entry["profiles"] for name, entry in entries().items() if "profiles" in entry}
    assert found == {"warm": ["after"]}


def test_commands_end_and_services_come_back() -> None:
    restarts = {name: entry["restart"] for name, entry in entries().items()}
    commands = ["migrate", "collect", "warm"]
    assert all(
        restart == ("no" if name in commands else "unless-stopped")
        for name, restart in restarts.items()
    )


def test_one_shots_are_not_reachable_for_visitors() -> None:
    assert set(entries()["migrate"]["networks"]) == {"app", "data"}


def test_a_service_without_networks_has_none_but_the_edge_when_it_is_routed() -> None:
    assert set(entries()["frontend-1"]["networks"]) == {"edge"}
    worker = entries(with_service("worker", networks=[]))["worker-1"]
    assert worker["network_mode"] == "none"
    assert "networks" not in worker


def test_no_entry_leaves_its_networks_to_compose() -> None:
    for entry in entries(with_service("worker", networks=[])).values():
        assert ("networks" in entry) != ("network_mode" in entry)


def test_the_release_creates_no_network() -> None:
    networks = compose()["networks"]
    assert {name: one["name"] for name, one in networks.items()} == {
        "app": "shop-app",
        "data": "shop-data",
        "edge": "shop-edge",
    }
    assert all(one["external"] is True for one in networks.values())


def test_postgres_is_known_by_address_to_readers_of_the_data_network_alone() -> None:
    known = {name for name, entry in entries().items() if "extra_hosts" in entry}
    assert known == {"backend-1", "backend-2", "migrate", "collect", "warm"}
    assert entries()["backend-1"]["extra_hosts"] == {"postgres": "10.213.5.2"}
    assert not any("extra_hosts" in entry for entry in entries(model(postgres=False)).values())


def test_volumes_lie_with_the_stack_or_with_the_release() -> None:
    assert entries()["backend-1"]["volumes"] == [
        {
            "type": "bind",
            "source": "./volumes/manifest",
            "target": "/srv/release",
            "read_only": False,
        },
        {
            "type": "bind",
            "source": "/srv/slipway/stacks/shop/volumes/static",
            "target": "/srv/static",
            "read_only": False,
        },
    ]
    assert entries()["frontend-1"]["volumes"][0]["read_only"] is True


def test_writers_of_assets_see_their_releases_files_and_readers_those_of_all() -> None:
    wanted = model(
        volumes={"static": {"owner": 10001, "scope": "assets"}, "manifest": {"owner": 1}}
    )
    sources = {
        name: [one["source"] for one in entry.get("volumes", []) if "static" in one["source"]]
        for name, entry in entries(wanted).items()
    }
    own, store = ["./volumes/static"], ["/srv/slipway/stacks/shop/volumes/static"]
    assert sources["backend-1"] == sources["collect"] == own
    assert sources["frontend-1"] == store


def test_assets_are_listed_with_their_owner_and_where_an_image_has_them() -> None:
    source = {"service": "frontend", "path": "/html/assets"}
    volumes = {
        "static": {"owner": 10001, "scope": "assets"},
        "pages": {"owner": 101, "scope": "assets", "from": source},
        "media": {"owner": 10001},
    }
    assert assets_of(model(volumes=volumes)) == {
        "static": {"owner": 10001, "from": {}},
        "pages": {"owner": 101, "from": source},
    }


def test_a_service_is_probed_at_its_first_path_unless_said() -> None:
    found = services_of(model())
    assert {name: probe_path(one) for name, one in found.items()} == {
        "backend": "/api",
        "frontend": "/",
        "worker": None,
    }
    assert probe_path(services_of(with_service("backend", probe="/api/notes"))["backend"]) == (
        "/api/notes"
    )


def test_the_environments_size_beats_the_services_own() -> None:
    wanted = model(sizes={"backend": {"replicas": 1, "memory": "1g", "cpus": 2.0}})
    assert "backend-2" not in entries(wanted)
    assert entries(wanted)["backend-1"]["mem_limit"] == "1g"
    assert entries(wanted)["backend-1"]["cpus"] == 2.0


def test_docker_checks_health_only_by_a_command_inside() -> None:
    checked = {name for name, entry in entries().items() if "healthcheck" in entry}
    assert checked == {"worker-1"}


def test_stop_signal_is_the_images_own_unless_said() -> None:
    assert "stop_signal" not in entries()["backend-1"]
    wanted = with_service("backend", stop_signal="SIGQUIT")
    assert entries(wanted)["backend-1"]["stop_signal"] == "SIGQUIT"


def test_the_definition_leaves_the_model_as_it_was() -> None:
    wanted = model()
    before = json.dumps(wanted)
    compose_definition(wanted, release())
    assert json.dumps(wanted) == before


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("backend", "backend:2.0"),
        ("example.com:5000/shop/backend", "example.com:5000/shop/backend:2.0"),
        ("example.com:5000/shop/backend:1.9", "example.com:5000/shop/backend:1.9"),
        (DIGESTS["backend"], DIGESTS["backend"]),
    ],
)
def test_an_image_gets_the_stacks_version_unless_it_has_its_own(image: str, reference: str) -> None:
    assert image_reference(image, "2.0") == reference


# data -------------------------------------------------------------------------------------------


def test_postgres_has_its_fixed_address_and_its_volume_outlives_the_project() -> None:
    found = data_definition(DATA)
    postgres = found["services"]["postgres"]
    assert postgres["networks"] == {"data": {"ipv4_address": "10.213.5.2"}}
    assert found["volumes"] == {"postgres": {"name": "shop-postgres"}}
    assert found["networks"] == {"data": {"name": "shop-data", "external": True}}


def test_postgres_gets_its_options_sorted_and_no_secret_by_value() -> None:
    postgres = data_definition(DATA)["services"]["postgres"]
    assert postgres["command"] == [
        *("postgres", "-c", "max_connections=200", "-c", "work_mem=8MB"),
    ]
    secrets = [key for key in postgres["environment"] if "PASSWORD" in key]
    assert secrets == ["POSTGRES_PASSWORD_FILE"]


def test_no_deploy_takes_postgres_for_a_container_of_a_release() -> None:
    labels = data_definition(DATA)["services"]["postgres"]["labels"]
    assert STACK_LABEL not in labels
    assert RELEASE_LABEL not in labels


# defaults ---------------------------------------------------------------------------------------


def documented() -> dict[str, Any]:
    specs = (ROOT / "roles/stack/meta/argument_specs.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(specs)["argument_specs"]
    return found


def defaults(options: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults that an argument spec documents, those of nested options filled in."""
    return {
        name: defaults(option["options"])
        if option["type"] == "dict" and "options" in option
        else option.get("default")
        for name, option in options.items()
        if not option.get("required")
    }


def test_defaults_of_services_are_the_documented_ones() -> None:
    found = defaults(documented()["service"]["options"])
    # The documentation says of it what the code does: stack_domain.
    assert found["health"].pop("host") is None
    expected = SERVICE_DEFAULTS | {
        "health": {key: one for key, one in SERVICE_DEFAULTS["health"].items() if key != "host"}
    }
    assert found == expected


def test_defaults_of_commands_are_the_documented_ones() -> None:
    commands = documented()["main"]["options"]["stack_commands"]["options"]
    assert defaults(commands) == COMMAND_DEFAULTS


def test_defaults_of_volumes_are_the_documented_ones() -> None:
    assert defaults(documented()["volume"]["options"]) == VOLUME_DEFAULTS
