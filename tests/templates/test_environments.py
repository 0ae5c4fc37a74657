"""The rendered files of production and staging: valid, and different only where they should be."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sysconfig
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils.release import StackDirectory

from tests.templates.rendering import (
    ENVIRONMENTS,
    FILLED,
    RELEASE_ID,
    differences,
    rendered,
)

HOSTS = re.compile(r"Host\(`([^`]+)`\)")
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")

both = pytest.mark.parametrize("environment", ENVIRONMENTS)


def between(kind: str) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the two environments beside names, domain and subnet."""
    here, there = (rendered(environment) for environment in ENVIRONMENTS)
    return differences(here.neutral(kind), there.neutral(kind))


# valid ------------------------------------------------------------------------------------------


def compose_config(directory: Path, text: str) -> dict[str, Any]:
    """Have Docker Compose check a file, and return it as Compose understands it."""
    (directory / "compose.yml").write_text(text)
    beside_python = Path(sysconfig.get_path("scripts")) / "docker-compose"
    binary = str(beside_python) if beside_python.exists() else shutil.which("docker-compose")
    assert binary, "docker-compose is missing: run `uv sync`"
    done = subprocess.run(
        [binary, "--file", "compose.yml", "--profile", "*", "config", "--format", "json"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@both
def test_compose_takes_the_release_as_it_is_meant(tmp_path: Path, environment: str) -> None:
    text = rendered(environment).compose
    meant = yaml.safe_load(text)
    for secret in meant["secrets"].values():
        path = tmp_path / secret["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    understood = compose_config(tmp_path, text)
    assert understood["name"] == meant["name"]
    assert set(understood["services"]) == set(meant["services"])
    for name, service in understood["services"].items():
        given = {key: value.replace("$$", "$") for key, value in service["environment"].items()}
        assert given == meant["services"][name]["environment"]
        assert "ports" not in service
        assert "build" not in service


@both
def test_compose_takes_the_data_project_as_it_is_meant(tmp_path: Path, environment: str) -> None:
    understood = compose_config(tmp_path, rendered(environment).data)
    assert set(understood["services"]) == {"postgres"}
    assert "ports" not in understood["services"]["postgres"]


@both
def test_the_routes_name_the_release_where_the_host_looks_for_it(
    tmp_path: Path, environment: str
) -> None:
    directory = StackDirectory(tmp_path, environment)
    directory.dynamic.mkdir(parents=True)
    directory.routes.write_text(rendered(environment).routes)
    assert directory.serving() == RELEASE_ID


@both
@pytest.mark.parametrize("kind", ["compose", "routes", "data", "static", "api"])
def test_no_file_that_others_may_read_holds_a_secret(environment: str, kind: str) -> None:
    text = getattr(rendered(environment), kind).replace("$$", "$")
    assert not [value for value in FILLED.values() if isinstance(value, str) and value in text]


@both
def test_secrets_reach_the_host_as_one_word_for_their_readers_alone(environment: str) -> None:
    found = json.loads(base64.b64decode(rendered(environment).secrets))
    django = {
        "uid": 10001,
        "values": {
            "django_secret_key": FILLED["vault_django_secret_key"],
            "database_user": "app",
            "database_password": FILLED["vault_postgres_password"],
        },
    }
    assert found["services"] == {"backend": django, "worker": django, "scheduler": django}
    guarded = f"team:{FILLED['vault_team_password_hash']}"
    assert found["users"] == (guarded if environment == "staging" else "")


@both
def test_the_word_of_secrets_does_not_depend_on_the_order_of_the_inventory(
    environment: str,
) -> None:
    text = base64.b64decode(rendered(environment).secrets).decode()
    assert text == json.dumps(json.loads(text), sort_keys=True)


@both
def test_every_run_renders_the_same_whatever_order_sets_have(environment: str) -> None:
    assert len({str(rendered(environment, seed)) for seed in (1, 2, 3)}) == 1


@both
def test_no_placeholder_is_left(environment: str) -> None:
    files = rendered(environment)
    assert "change-me" not in files.compose + files.routes + files.data


# different ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["compose", "routes", "data"])
def test_no_environment_names_the_other(kind: str) -> None:
    for environment, other in (ENVIRONMENTS, reversed(ENVIRONMENTS)):
        files, others = rendered(environment), rendered(other)
        text = getattr(files, kind)
        assert others.name not in text
        assert f"`{others.model['domain']}`" not in text
        subnet = IPv4Network(files.model["subnet"])
        # Of the host: its loopback address, and where its page answers.
        found = set(map(IPv4Address, ADDRESS.findall(text)))
        found -= {IPv4Address("127.0.0.1"), IPv4Address("10.213.0.1")}
        assert found
        assert all(address in subnet for address in found)


def test_projects_containers_networks_and_volumes_have_names_of_their_own() -> None:
    def names(environment: str) -> set[str]:
        files = rendered(environment)
        found: set[str] = set()
        for text in (files.compose, files.data):
            project = yaml.safe_load(text)
            found |= {project["name"]}
            found |= {one["name"] for one in project["networks"].values()}
            found |= {one["name"] for one in project.get("volumes", {}).values()}
            found |= {
                one["container_name"]
                for one in project["services"].values()
                if "container_name" in one
            }
        return found

    assert not names("production") & names("staging")


def test_routers_services_and_middlewares_have_names_of_their_own() -> None:
    here, there = (yaml.safe_load(rendered(one).routes)["http"] for one in ENVIRONMENTS)
    for kind in here:
        assert not set(here[kind]) & set(there[kind])


def test_the_compose_files_differ_in_sizes_and_in_nothing_else() -> None:
    backend = ["backend-1", "migrate", "collectstatic"]
    assert set(between("compose")) == {
        # Two replicas of each service in production, one in staging …
        "services.backend-2",
        "services.frontend-2",
        # … so that the frontend's addresses begin later.
        "services.frontend-1.networks.edge.ipv4_address",
        *(f"services.{name}.mem_limit" for name in backend),
        *(f"services.{name}.cpus" for name in backend),
    }


def test_production_is_the_larger_one() -> None:
    found = between("compose")
    assert found["services.backend-2"][1] is None
    assert found["services.frontend-2"][1] is None
    assert found["services.backend-1.cpus"][0] > found["services.backend-1.cpus"][1]


def test_a_second_replica_differs_from_the_first_in_name_and_address_alone() -> None:
    services = yaml.safe_load(rendered("production").compose)["services"]
    for name in ("backend", "frontend"):
        assert set(differences(services[f"{name}-1"], services[f"{name}-2"])) == {
            "container_name",
            "networks.edge.ipv4_address",
        }


def test_the_routes_differ_in_redirects_replicas_and_protection_and_in_nothing_else() -> None:
    found = between("routes")
    guarded = {path.removesuffix(".middlewares") for path in found if path.endswith(".middlewares")}
    routers = yaml.safe_load(rendered("staging").routes)["http"]["routers"]
    assert {path.removeprefix("http.routers.<stack>_") for path in guarded} == {
        name.removeprefix("staging_") for name in routers if not name.endswith("-probe")
    }
    headers = [path for path in found if path.endswith(".X-Robots-Tag")]
    assert set(found) == {
        *(f"{router}.middlewares" for router in guarded),
        *headers,
        *(
            f"http.services.<stack>-{RELEASE_ID}-{name}_{kind}.loadBalancer.servers"
            for name in ("backend", "frontend")
            for kind in ("healthy", "any")
        ),
        "http.middlewares.<stack>-users",
        "http.middlewares.<stack>-redirect",
        "http.routers.<stack>_redirect",
    }


def test_staging_alone_is_hidden_and_guarded() -> None:
    found = between("routes")
    robots = [values for path, values in found.items() if path.endswith(".X-Robots-Tag")]
    assert robots
    assert set(robots) == {(None, "noindex, nofollow")}
    assert found["http.middlewares.<stack>-users"][0] is None
    open_to_all, guarded = found["http.routers.<stack>_frontend_0.middlewares"]
    assert "<stack>-users" not in open_to_all
    assert [one for one in guarded if one != "<stack>-users"] == open_to_all


def test_production_alone_leads_another_name_to_its_domain() -> None:
    here, there = between("routes")["http.routers.<stack>_redirect"]
    assert here["rule"] == "Host(`www.<domain>`)"
    assert there is None


@both
def test_every_answer_of_the_sample_has_a_policy_but_what_its_nginx_guards_itself(
    environment: str,
) -> None:
    def headers(router: dict[str, Any]) -> str:
        names: list[str] = router["middlewares"]
        return next(one for one in names if "-headers" in one)

    http = yaml.safe_load(rendered(environment).routes)["http"]
    without = {
        name
        for name, router in http["routers"].items()
        if "Content-Security-Policy"
        not in http["middlewares"][headers(router)]["headers"]["customResponseHeaders"]
    }
    assert without
    assert all("Path(`/media`)" in http["routers"][name]["rule"] for name in without)


@both
def test_a_ca_is_asked_for_every_name_that_the_routes_answer(environment: str) -> None:
    files = rendered(environment)
    (request,) = yaml.safe_load(files.certificate)["http"]["routers"].values()
    asked = set(HOSTS.findall(request["rule"]))
    assert asked == set(HOSTS.findall(files.routes))
    assert files.model["domain"] in asked


@both
def test_a_ca_is_asked_for_the_host_s_certificates_alike_whichever_stack_is_provisioned(
    environment: str,
) -> None:
    routers = yaml.safe_load(rendered(environment).api)["http"]["routers"]
    rule = routers["slipway-certificate-1"]["rule"]
    assert HOSTS.findall(rule) == ["yourdomain.org", "*.yourdomain.org"]
    assert rendered("production").api == rendered("staging").api


@both
def test_traefik_is_told_the_challenge_s_provider_and_how_to_look_for_the_record(
    environment: str,
) -> None:
    resolver = yaml.safe_load(rendered(environment).static)["certificatesResolvers"]["acme"]["acme"]
    assert not {"httpChallenge", "tlsChallenge"} & set(resolver)
    assert resolver["dnsChallenge"] == {
        "provider": "cloudflare",
        "resolvers": ["1.1.1.1:53"],
        "propagation": {"delayBeforeChecks": "10s"},
    }


@both
def test_a_slot_that_is_not_active_begins_and_goes_on_with_nothing_outside(
    environment: str,
) -> None:
    rules = [line.strip() for line in rendered(environment).door.splitlines()]
    idle = next(line for line in rules if "ip saddr $slots ip saddr != $door" in line)
    assert idle.endswith("ct direction original drop")
    assert rules.index(idle) < rules.index("ct state established,related accept")
    assert rules.index(idle) < rules.index('oifname != "slw-*" accept')


@both
def test_the_filter_lets_traefik_alone_ask_for_the_page_where_the_routes_lead(
    environment: str,
) -> None:
    files = rendered(environment)
    page = urlsplit(files.model["edge"]["page"])
    rules = [line.strip() for line in files.filter.splitlines()]
    opened = f'iifname "slw-door" ip daddr {page.hostname} tcp dport {page.port} accept'
    assert [rule for rule in rules if str(page.port) in rule] == [opened]
    assert rules.index(opened) < rules.index('iifname "slw-*" counter drop')


@both
def test_the_door_takes_its_slot_from_the_record_alone_and_admits_the_cdn_alone(
    environment: str,
) -> None:
    door = rendered(environment).door
    assert 'include "/etc/slipway/slot.nft"' in door
    assert "define door" not in door
    ipv4, ipv6 = door.split("table ip6 slipway {")
    for table, family, slot in ((ipv4, "ip", "$door"), (ipv6, "ip6", "$door6")):
        for way in ("tcp dport $web", "udp dport 443"):
            asked = f"fib daddr type local {way}"
            assert f"{asked} dnat to {slot}\n" in table
            assert re.search(rf"{re.escape(asked)} ct state new {family} saddr != .* drop", table)


def test_no_container_begins_anything_on_ipv6() -> None:
    ipv6 = rendered("production").door.split("table ip6 slipway {")[1]
    rules = [line.strip() for line in ipv6.splitlines()]
    refused = next(each for each in rules if each.startswith('iifname "slw-*" oifname != "slw-*"'))
    assert refused.endswith("ct state new reject with icmpv6 admin-prohibited")
    assert rules.index(refused) < rules.index('oifname != "slw-*" accept')


def test_the_data_projects_differ_in_sizes_and_in_nothing_else() -> None:
    assert set(between("data")) == {"services.postgres.mem_limit", "services.postgres.cpus"}
