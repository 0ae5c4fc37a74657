"""Every public variable: sound values pass, bad ones are refused by name and with a cure.

The cases come from walking the roles' argument_specs, so that a new variable is covered the moment
it is written down there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils import definition, formats, patterns
from ansible_collections.slipway.stack.plugins.module_utils.validation import (
    Problem,
    Unrenderable,
    message,
    normalise_service,
    validate,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REPOSITORY = Path(__file__).parents[3]
ROLES = ("host", "docker", "network", "edge", "traefik", "data", "stack", "preview")
SPECS = {
    role: {
        name: entry["options"]
        for name, entry in yaml.safe_load(
            (REPOSITORY / "roles" / role / "meta" / "argument_specs.yml").read_text()
        )["argument_specs"].items()
    }
    for role in ROLES
}
ENTRIES = {name: options for entries in SPECS.values() for name, options in entries.items()}
GOOD: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("good.yml").read_text())
CHOSEN_KEYS = {
    "docker_registries": "registry.example.com:5000",
    "stack_rate_limits": "/admin/login",
    "stack_services": "backend",
    "stack_sizes": "frontend",
    "stack_volumes": "static",
}

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Spot:
    """One place in the variables: how to get there, its pattern, and what the spec says of it."""

    steps: Steps
    pattern: str
    option: dict[str, Any]
    secret: bool

    @property
    def kind(self) -> str:
        return str(self.option.get("type", "str"))

    @property
    def path(self) -> str:
        text = str(self.steps[0])
        for step in self.steps[1:]:
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
        return text


def inside(spot: Spot) -> Iterator[Spot]:
    yield spot
    fields = spot.option.get("options")
    steps, pattern = spot.steps, spot.pattern
    keys = patterns.MAPPINGS.get(spot.pattern)
    if spot.kind in ("list", "raw"):
        inner = {"type": spot.option.get("elements", "str")}
        inner |= {key: spot.option[key] for key in ("options", "choices") if key in spot.option}
        yield from inside(Spot((*steps, 0), f"{pattern}[]", inner, spot.secret))
    elif fields:
        for name, option in fields.items():
            secret = spot.secret or bool(option.get("no_log"))
            yield from inside(Spot((*steps, name), f"{pattern}.{name}", option, secret))
    elif keys and keys.entry:
        whole = {"type": "dict", "options": ENTRIES[keys.entry]}
        key = CHOSEN_KEYS[pattern]
        yield from inside(Spot((*steps, key), f"{pattern}.*", whole, spot.secret))
    elif keys and not keys.scalars:
        key = next(iter(at(GOOD, steps)))
        yield Spot((*steps, key), f"{pattern}.*", {"type": "str"}, spot.secret)


def at(values: Any, steps: Steps) -> Any:
    for step in steps:
        values = values[step]
    return values


def put(steps: Steps, value: Any, values: Any = GOOD) -> Any:
    """Give the good values with one of them replaced, without changing them."""
    if not steps:
        return value
    changed = copy.copy(values)
    inner = at(values, steps[:1]) if len(steps) > 1 else None
    changed[steps[0]] = put(steps[1:], value, inner)
    return changed


SPOTS = [
    spot
    for role in ROLES
    for name, option in SPECS[role]["main"].items()
    for spot in inside(Spot((name,), name, option, bool(option.get("no_log"))))
]
STRING_SPOTS = [each for each in SPOTS if each.kind in ("str", "path")]

LENIENT = {
    id(each)
    for each in (
        formats.TEXT,
        formats.SECRET,
        formats.ARGUMENT,
        formats.LINE,
        formats.PASSWORD,
        formats.SETTING,
        formats.HEADER_VALUE,
    )
}
WRONG_KINDS: tuple[Any, ...] = (
    None, [], {}, [None], ["a"], {"a": "b"}, {3: 4}, True, False, 0, 5, -1, 1.5, "5", "yes", "text",
)  # fmt: skip
KIND_OF = {
    "str": (str,), "path": (str,), "int": (int,), "float": (int, float), "bool": (bool,),
    "list": (list,), "dict": (dict,), "raw": (str, list),
}  # fmt: skip
HOSTILE = (
    "change-me",
    " Change-Me\n",
    "   ",
    "\n",
    "a\0b",
    "\x1b[31mred",
    "`id`",
    "$(id)",
    "a; rm -rf /",
    "{{ lookup('env', 'HOME') }}",
    "{% raw %}",
    "../../etc/passwd",
    "'\"",
    "Zeilen\numbruch.",
    "naïve",
    "x" * 200_000,
    " leading",
    "trailing ",
)
# What even free text must not be.
ALWAYS_HOSTILE = (*HOSTILE[:5], HOSTILE[15])
OUT_OF_RANGE = (-(10**9), -1, 0, 10**10, float("inf"), float("-inf"), float("nan"))


def fits(kind: str, value: Any) -> bool:
    return isinstance(value, KIND_OF[kind]) and (kind == "bool" or not isinstance(value, bool))


def bad_values(spot: Spot) -> Iterator[Any]:
    """Give what must be refused at this place whatever it means."""
    yield from (value for value in WRONG_KINDS if not fits(spot.kind, value))
    yield Unrenderable(undefined="vault_missing")
    yield Unrenderable(reason="the template is wrong")
    if spot.kind in ("str", "path"):
        may_be_empty = spot.option.get("default") == "" or spot.pattern in patterns.MAY_BE_EMPTY
        if not may_be_empty:
            yield ""
        lenient = id(patterns.STRINGS.get(spot.pattern)) in LENIENT
        yield from ALWAYS_HOSTILE if lenient else HOSTILE
    elif spot.kind in ("int", "float"):
        allowed = patterns.NUMBERS[spot.pattern]
        fitting = (each for each in OUT_OF_RANGE if fits(spot.kind, each))
        yield from (each for each in fitting if not allowed.low <= each <= allowed.high)
    elif spot.option.get("required"):
        yield {} if spot.kind == "dict" else []


CASES = [(spot, value) for spot in SPOTS for value in bad_values(spot)]


def refused(values: dict[str, Any], path: str) -> Problem:
    """Give the problem with a path; the message must name it and every problem have a cure."""
    problems = validate(SPECS, values)
    text = message(problems)
    for problem in problems:
        assert problem.cure.endswith((".", "?")), problem
        assert problem.cure[0].isupper(), problem
        assert f"  - {problem.path}: " in text
    assert len(text.splitlines()) == 1 + len(problems), "a value breaks the message's lines"
    found = [problem for problem in problems if problem.path == path]
    assert found, f"{path} is not refused, only: {text}"
    return found[0]


def test_good_values_pass() -> None:
    assert validate(SPECS, GOOD) == []


def test_good_values_name_every_variable() -> None:
    assert set(GOOD) == {name for role in ROLES for name in SPECS[role]["main"]}


def test_required_variables_are_enough() -> None:
    names = {
        name for role in ROLES for name, each in SPECS[role]["main"].items() if each.get("required")
    }
    values = {name: GOOD[name] for name in names | {"data_postgres_password"}}
    values["stack_services"] = {"frontend": GOOD["stack_services"]["frontend"]}
    assert validate(SPECS, values) == []


def test_there_are_many_cases() -> None:
    assert len(CASES) > 2000


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: spot.path)
def test_bad_values_are_refused(spot: Spot) -> None:
    for value in bad_values(spot):
        refused(put(spot.steps, value), spot.path)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    spot=st.sampled_from(SPOTS),
    junk=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_junk_never_crashes_and_wrong_kinds_never_pass(spot: Spot, junk: Any) -> None:
    values = put(spot.steps, junk)
    if fits(spot.kind, junk):
        message(validate(SPECS, values))
    else:
        refused(values, spot.path)


@pytest.mark.parametrize(
    "spot",
    [each for each in SPOTS if each.option.get("required")],
    ids=lambda spot: spot.path,
)
def test_what_is_required_must_be_there(spot: Spot) -> None:
    values = copy.deepcopy(GOOD)
    del at(values, spot.steps[:-1])[spot.steps[-1]]
    assert refused(values, spot.path).wrong == "is missing"


@pytest.mark.parametrize(
    "spot",
    [each for each in SPOTS if each.kind == "dict" and each.option.get("options")],
    ids=lambda spot: spot.path,
)
def test_an_unknown_field_is_refused_with_a_suggestion(spot: Spot) -> None:
    for name in spot.option["options"]:
        typo = f"{name}x"
        problem = refused(put((*spot.steps, typo), "x"), f"{spot.path}.{typo}")
        assert problem.wrong == "is unknown"
        assert problem.cure.startswith("Did you mean ")


@pytest.mark.parametrize("name", GOOD)
def test_an_unknown_variable_is_refused_with_a_suggestion(name: str) -> None:
    typo = f"{name[:-2]}{name[-1]}{name[-2]}x"
    problem = refused({**GOOD, typo: "x"}, typo)
    assert problem.wrong == "is unknown"
    assert "Did you mean " in problem.cure


def test_names_that_are_not_ours_are_left_alone() -> None:
    others = {"vault_stack_x": 1, "__stack_x": 2, "ansible_user": "root", "stackname": 3, "x": None}
    assert validate(SPECS, {**GOOD, **others}) == []


def test_a_misspelt_required_variable_is_recognised() -> None:
    values = {("stack_domian" if name == "stack_domain" else name): GOOD[name] for name in GOOD}
    assert "stack_domian" in refused(values, "stack_domain").cure
    assert refused(values, "stack_domian").cure == "Did you mean stack_domain?"


@pytest.mark.parametrize("pattern", patterns.MAPPINGS)
@pytest.mark.parametrize("key", ["", " ", "we ird", "a`b", "{{ x }}", "naïve", "a\nb", "x" * 300])
def test_bad_keys_are_refused(pattern: str, key: str) -> None:
    spot = next(each for each in SPOTS if each.pattern == pattern)
    value = next(iter(at(GOOD, spot.steps).values()))
    problems = validate(SPECS, put((*spot.steps, key), value))
    assert any(each.path.startswith(f"{spot.path}.") for each in problems)
    assert len(message(problems).splitlines()) == 1 + len(problems)


@pytest.mark.parametrize("pattern", patterns.MAPPINGS)
@pytest.mark.parametrize("key", [3, True, None, 1.5])
def test_keys_are_strings(pattern: str, key: Any) -> None:
    spot = next(each for each in SPOTS if each.pattern == pattern)
    value = next(iter(at(GOOD, spot.steps).values()))
    assert "Put quotes" in refused(put((*spot.steps, key), value), f"{spot.path}.{key}").cure


@pytest.mark.parametrize(
    "spot", [each for each in SPOTS if each.secret], ids=lambda each: each.path
)
def test_secrets_never_appear_in_messages(spot: Spot) -> None:
    secret = "hunter2hunter2"
    for value in (
        secret,
        [secret],
        {"a": [secret]},
        {"a": {"b": secret}},
        f"{secret}\0",
        f"{secret}\n\n",
        f"change-me {secret}",
        secret * 20_000,
        Unrenderable(reason=f"unexpected {secret}"),
    ):
        assert "hunter2" not in message(validate(SPECS, put(spot.steps, value)))


def test_tables_and_specs_agree() -> None:
    strings = {
        each.pattern
        for each in SPOTS
        if each.kind in ("str", "path", "raw") and "choices" not in each.option
    }
    scalars = {f"{name}.*" for name, keys in patterns.MAPPINGS.items() if keys.scalars}
    numbers = {each.pattern for each in SPOTS if each.kind in ("int", "float")}
    mappings = {
        each.pattern for each in SPOTS if each.kind == "dict" and "options" not in each.option
    }
    assert strings | scalars == set(patterns.STRINGS)
    assert numbers == set(patterns.NUMBERS)
    assert mappings == set(patterns.MAPPINGS) | patterns.FREE_MAPPINGS
    known = {each.pattern for each in SPOTS} | scalars
    assert (patterns.NEVER_EMPTY | patterns.MAY_BE_EMPTY) - known == set()


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specs(role: str) -> None:
    defaults = yaml.safe_load((REPOSITORY / "roles" / role / "defaults" / "main.yml").read_text())
    specs = SPECS[role]["main"]
    expected = {name: each["default"] for name, each in specs.items() if not each.get("required")}
    assert defaults == expected


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: spot.path)
def test_every_option_is_described(spot: Spot) -> None:
    if isinstance(spot.steps[-1], int) or spot.pattern.endswith("*"):
        return
    assert spot.option.get("description"), spot.path
    assert spot.option.get("type"), spot.path
    assert not (spot.option.get("required") and "default" in spot.option), spot.path


# What one kind of value may and may not be


@pytest.mark.parametrize(
    ("path", "accepted", "rejected"),
    [
        ("stack_domain", "a.example.com xn--mnchen-3ya.de a-b.co",
         "localhost a..b -a.com a-.com A.com a_b.com a.com. 10.0.0.1 https://a.com *.a.com"),
        ("stack_name", "production s1 a-b",
         "a 1a a- -a A a_b api slot tls x-data production-environment-1"),
        ("stack_subnet", "10.213.4.0/22 192.168.252.0/22 100.64.0.0/22",
         "10.213.4.0/24 10.213.5.0/22 8.8.8.0/22 10.213.4.0 10.213.4.0/255.255.252.0 fd00::/22"),
        ("network_door_subnet_v6", "fd00::/64 fdff:1:2:3::/64",
         "2001:db8::/64 fd00::/48 fd00::1/64 fe80::/64 10.213.0.0/24 fd00::"),
        ("network_door_subnet", "10.213.0.0/24", "10.213.0.0/22 10.213.0.1/24 127.0.0.0/24"),
        ("stack_version", "1.4.2 v1 _x 2026-11-22", "1.4+b2 .1 -1 a/b a:b @"),
        ("stack_registry", "ghcr.io/shop registry.slipway.test:5000/example localhost:5000",
         "https://ghcr.io ghcr.io/ ghcr.io/Shop"),
        ("stack_services.backend.image",
         "a a/b registry.test:5000/a/b a:1.4.1 a@sha256:" + "0" * 64,
         "A a:b:c /a a/ a@sha256:12 a//b http://a/b -a a:"),
        ("traefik_image", "traefik:v3.7.15", "traefik traefik: registry.test:5000/traefik"),
        ("stack_services.backend.memory", "6m 256m 1g 8192k", "5m 256 256M 0m -1m 1.5g 256mb m"),
        ("data_postgres_shm", "128m", "128 1kb"),
        ("docker_log_max_size", "10m 1g 100k", "10 0m 10M"),
        ("host_journal_max_size", "500M 1G", "500m 0M 500"),
        ("host_reboot_time", "00:00 04:30 23:59", "4:30 24:00 04:60 04.30 now"),
        ("network_ssh_sources[0]", "203.0.113.7 203.0.113.0/24 2001:db8::/32 ::1",
         "203.0.113.7/24 example.com fe80::1%eth0 10.0.0.0/33 all"),
        ("host_directory", "/srv/slipway /a", "/ srv /srv/ /srv//a /srv/../a /srv/. //srv /a:b"),
        ("host_timezone", "Etc/UTC Europe/Berlin", "Europe/Berln /etc/passwd ../UTC Berlin"),
        ("host_packages[0]", "htop libc6:amd64 g++ jq=1.6*", "Htop -x a"),
        ("docker_registry_mirrors[0]", "https://m.test http://m.test:5000/", "m.test ftp://m.test"),
        ("stack_services.backend.paths[0]", "/ /api /a/b/ /@x", "api /a//b /a/../b /a?b /a`"),
        ("stack_services.backend.probe", "/api /admin/x?y=1", "api /a\u00e9 /{a}"),
        ("stack_volumes.static.from.path", "/html /usr/share/a_b", "/ html /html/ /../a /a:ro"),
        ("stack_volumes.static.scope", "stack assets", "Stack asset image"),
        ("stack_min_free_disk", "2g 500m", "2 2G 0g 1.5g 10%"),
        ("stack_run_url", "https://github.com/Shop/shop/actions/runs/42 http://ci:8080",
         "github.com/a ftp://a https:// https://a`b"),
        ("stack_commit", "29ec417 v1.4.2", "-x a/b a..`"),
        ("stack_services.backend.health.path", "/ /readyz /r?deep=1", "readyz /a\u00e9"),
        ("stack_services.backend.health.host", "localhost a.example.com", "10.0.0.1 a_b http://a"),
        ("stack_services.backend.volumes.static", "/a /a/b:ro", "/ a /a:rw /a:ro:ro /a/../b"),
        ("stack_services.backend.tmpfs[0]", "/a /a:size=8m,mode=1777", "/ a /a: /a:Size"),
        ("stack_services.backend.capabilities[0]", "CHOWN", "CAP_CHOWN chown ALL"),
        ("stack_services.backend.stop_signal", "SIGTERM SIGINT", "TERM SIGKILL 15"),
        ("stack_allowed_addresses[0]", "192.0.2.7 10.0.0.0/8 ::1 2001:db8::/32",
         "192.0.2 192.0.2.1/24 10.0.0.0/255.0.0.0 fe80::1%eth0 example.com"),
        ("traefik_acme_dns_provider", "route53 acme-dns", "Cloudflare cloud_flare -a a.b"),
        ("traefik_acme_dns_resolvers[0]", "1.1.1.1 1.1.1.1:53 dns.example.com:5353",
         "1.1.1.1:0 1.1.1.1:65536 1.1.1.1/32 1.1.1 ::1 https://dns.example.com :53"),
        ("traefik_acme_domains[0].main", "a.example.org *.b.example.com",
         "* *.com *.*.example.com a*.example.com A.example.com example.com. https://a.b"),
        ("stack_max_body./", "20m 1k", "20 20M 0m 1.5g"),
        ("stack_hooks.before[0]", "a.yml hooks/b.yaml /c.yml", "a a.py .yml hooks/"),
        ("data_postgres_user", "app _a1", "App 1a a-b"),
        ("stack_commands[0].name", "migrate", "Migrate web-1 postgres a--"),
    ],
)  # fmt: skip
def test_formats(path: str, accepted: str, rejected: str) -> None:
    spot = next(each for each in SPOTS if each.path == path)
    for text in accepted.split():
        problems = validate(SPECS, put(spot.steps, text))
        assert not [each for each in problems if each.path == path], text
    for text in rejected.split():
        refused(put(spot.steps, text), path)


@pytest.mark.parametrize(
    "key",
    [
        "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "ssh-ed25519 not+base64",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "ssh-dss AAAAB3NzaC1kc3MAAACB",
    ],
)
def test_public_keys(key: str) -> None:
    assert ".pub" in refused({**GOOD, "host_deploy_keys": [key]}, "host_deploy_keys[0]").cure


def test_a_number_from_the_command_line_is_told_to_come_as_json() -> None:
    cure = refused({**GOOD, "stack_drain_timeout": "60"}, "stack_drain_timeout").cure
    assert """-e '{"stack_drain_timeout": 30}'""" in cure


@pytest.mark.parametrize(
    ("name", "accepted", "rejected"),
    [
        ("stack_soak_seconds", [0, 3600], [-1, 3601, 1.5, "30"]),
        ("stack_soak_max_error_percent", [0, 0.5, 100], [-0.1, 100.1, "2"]),
        ("stack_soak_max_p95", [0.01, 2, 600], [0, 601]),
        ("stack_probe_rate", [0, 100], [-1, 101]),
        ("stack_probe_max_lost", [0, 100], [-1]),
        ("stack_lock_wait", [0, 300], [-1]),
        ("stack_run_number", [0, 10**11], [-1, "42"]),
        ("network_ssh_rate", [10, 60], [9, "60"]),
        ("network_open_ports", [[], [{"port": 25}]], [[{"port": 0}], [{"protocol": "tcp"}], [25]]),
        ("host_hardening_except", [[], ["ssh", "firewall"]], [["sshd"], "ssh"]),
        ("stack_canary", [[1], [5, 100]], [[0], [101], [5.5], ["5"], 5]),
    ],
)
def test_numbers(name: str, accepted: list[Any], rejected: list[Any]) -> None:
    for value in accepted:
        assert validate(SPECS, {**GOOD, name: value}) == []
    for value in rejected:
        assert validate(SPECS, {**GOOD, name: value}), value


def test_a_value_that_sops_has_encrypted_is_refused() -> None:
    values = put(("stack_secrets", "django_secret_key"), "ENC[AES256_GCM,data:c2VjcmV0,iv:a]")
    problem = refused(values, "stack_secrets.django_secret_key")
    assert problem.wrong == "is still encrypted by SOPS"
    assert "c2VjcmV0" not in str(problem)


def test_an_undefined_variable_is_named() -> None:
    values = put(("stack_secrets", "django_secret_key"), Unrenderable(undefined="vault_x"))
    problem = refused(values, "stack_secrets.django_secret_key")
    assert "vault_x" in problem.wrong
    assert "vault.yml" in problem.cure


def test_braces_never_reach_traefik() -> None:
    values = put(("traefik_options",), {"a": [{"b": "{{ env }}"}]})
    refused(values, "traefik_options.a[0].b")


def test_all_problems_come_at_once() -> None:
    values = {
        **GOOD,
        "stack_domain": None,
        "stack_name": 3,
        "traefik_cpus": "1",
        "data_postgres": 1,
    }
    assert len(validate(SPECS, values)) == 4


# The service with its defaults


def test_normalise_service_fills_nested_defaults() -> None:
    options = SPECS["stack"]["service"]
    service = {"image": "a", "health": {"path": "/readyz"}}
    before = copy.deepcopy(service)
    filled = normalise_service(options, service)
    assert service == before
    assert filled["health"] == {
        "path": "/readyz",
        "proto": "https",
        "start_timeout": 60,
        "interval": 2,
        "timeout": 3,
        "command": [],
    }
    assert filled["networks"] == ["app"]
    assert {"port", "uid", "stop_timeout"}.isdisjoint(filled)
    filled["paths"].append("/x")
    assert normalise_service(options, service)["paths"] == ["/"]
    assert normalise_service(options, filled) == filled


def test_the_renderer_has_the_same_defaults() -> None:
    stack = SPECS["stack"]
    service = normalise_service(stack["service"], {})
    for name in set(stack["service"]) - set(service) - {"image"}:
        service[name] = None
    service["health"]["host"] = ""
    assert service == definition.SERVICE_DEFAULTS
    commands = stack["main"]["stack_commands"]["options"]
    assert normalise_service(commands, {}) == definition.COMMAND_DEFAULTS
    assert normalise_service(stack["volume"], {}) == definition.VOLUME_DEFAULTS
