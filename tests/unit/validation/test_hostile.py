"""Hostile values in every public variable: refused by name, or there byte for byte in the end.

Nothing that they might mean to a shell, to Jinja, Compose or YAML happens on the way.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils import credentials
from ansible_collections.slipway.stack.plugins.module_utils.data import data_definition
from ansible_collections.slipway.stack.plugins.module_utils.definition import compose_definition
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import (
    text_of,
    write_secret,
)
from ansible_collections.slipway.stack.plugins.module_utils.validation import message, validate

from tests.unit.release.fakes import release, with_service
from tests.unit.validation.test_validation import (
    GOOD,
    REPOSITORY,
    ROLES,
    SPECS,
    STRING_SPOTS,
    Spot,
    put,
)

HOSTILE = (
    *(
        "`id`",
        "$(id)",
        "${HOME}",
        "$HOME",
        "$$",
        "$",
        "a;id",
        "a|id",
        "a&&id",
        "a>b",
        "<(id)",
        "!x",
    ),
    *(
        "a\nid",
        "a\r\nid\n",
        "a\tb",
        "'",
        '"',
        "\\",
        "\\n",
        "'; id; '",
        '"; id; "',
        "a b",
        " a",
        "a ",
    ),
    *("*", "?", "~root", "#x", "&x", "%x", "@x", "- x", "x: y", "[x]", "{x}", "|", "--help", "-x"),
    *("{{ 7*7 }}", "{% raw %}", "{# x #}", "{{ lookup('pipe', 'id') }}", "<% x %>", "../../x"),
    *(
        "\u00fc",
        "e\u0301",
        "\u202e",
        "\u2028",
        "\u0000",
        "\u0007",
        "\u007f",
        "\ud800",
        "\U0001f600",
    ),
    *("x" * 10_000, "$(id)" * 2_000, "\u00fc\n" * 5_000, "ENC[AES256_GCM,data:x]", "null", "yes"),
)
# A setting may be a number, too, so that the walk leaves it out.
SETTING = Spot(
    ("data_postgres_options", "search_path"), "data_postgres_options.*", {}, secret=False
)
SPOTS = [*STRING_SPOTS, SETTING]
CASES = [(spot, value) for spot in SPOTS for value in HOSTILE]
# Where people may write what they like; the tests below follow each to where it arrives.
FREE = {
    "environment": {"stack_environment.*", "stack_services.*.environment.*"},
    "arguments": {
        *("stack_services.*.command[]", "stack_services.*.health.command[]"),
        *("stack_commands[].command[]", "stack_commands[].plan[]"),
        # Those of previews become commands and secrets of the stacks that are derived.
        "preview_seed[].command[]",
    },
    "secrets": {
        *("stack_secrets.*", "preview_secrets.*", "data_postgres_password"),
        *("docker_registries.*.username", "docker_registries.*.password"),
    },
    "credentials": {"traefik_acme_dns_environment.*"},
    "settings": {"data_postgres_options.*"},
    # Written as JSON into Traefik's file.
    "headers": {"stack_security_headers.*", "stack_content_security_policy.*"},
    # Words for people, and files on the controller that need to exist.
    "words": {"stack_actor", "stack_page", "stack_hooks.before[]", "stack_hooks.after[]"},
}


@functools.cache
def refused(value: str) -> frozenset[str]:
    """Name the places at which a value is refused, when it stands at all of them at once."""
    values = GOOD
    for spot in SPOTS:
        values = put(spot.steps, value, values)
    problems = validate(SPECS, values)
    text = message(problems)
    assert len(text.splitlines()) == 1 + len(problems), "a value breaks the message's lines"
    return frozenset(one.path for one in problems)


def accepted(spot: Spot, value: str) -> bool:
    return spot.path not in refused(value)


def test_there_are_thousands_of_cases_over_all_roles() -> None:
    assert len(CASES) > 5000
    assert set(ROLES) == {one.name for one in (REPOSITORY / "roles").iterdir() if one.is_dir()}
    assert {spot.steps[0] for spot in SPOTS} <= set(GOOD)


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: spot.path)
def test_what_has_a_form_refuses_what_is_hostile(spot: Spot) -> None:
    """Of a few, such as a word in an image's name, `null` or `yes` are of the form."""
    passed = [value for value in HOSTILE if accepted(spot, value)]
    if spot.pattern in set().union(*FREE.values()):
        return
    assert not [value for value in passed if not re.fullmatch(r"[\w.-]{1,128}|~?[x/-]+", value)]


def texts(*kinds: str) -> list[str]:
    """Return the hostile values that pass wherever these kinds of free text stand."""
    spots = [one for one in SPOTS if one.pattern in set().union(*(FREE[kind] for kind in kinds))]
    found = {value for spot in spots for value in HOSTILE if accepted(spot, value)}
    assert len(found) > 20, "free text is free"
    return sorted(found)


def as_compose_reads(directory: Path, definition: dict[str, Any]) -> Any:
    """Write a compose file as the roles do, and return what Docker Compose makes of it."""
    text = yaml.safe_dump(definition, allow_unicode=True, width=4096, sort_keys=False)
    (directory / "compose.yml").write_text(text)
    for secret in definition.get("secrets", {}).values():
        path = directory / secret["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    beside_python = Path(sysconfig.get_path("scripts")) / "docker-compose"
    binary = str(beside_python) if beside_python.exists() else shutil.which("docker-compose")
    assert binary, "docker-compose is missing: run `uv sync`"
    command = ("--file", "compose.yml", "config", "--no-interpolate=false", "--format", "json")
    done = subprocess.run([binary, *command], cwd=directory, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)["services"]


def literally(value: Any) -> Any:
    """Take back what `config` doubles, so that its output is a compose file again."""
    if isinstance(value, list):
        return [literally(one) for one in value]
    return value.replace("$$", "$")


def test_environment_arrives_byte_for_byte(tmp_path: Path) -> None:
    wanted = {f"V{number}": text for number, text in enumerate(texts("environment"))}
    there = as_compose_reads(
        tmp_path, compose_definition(with_service("backend", environment=wanted), release())
    )
    given = there["backend-1"]["environment"]
    assert {name: literally(given[name]) for name in wanted} == wanted


def test_arguments_arrive_byte_for_byte_and_meet_no_shell(tmp_path: Path) -> None:
    wanted = texts("arguments")
    whole = with_service("worker", command=wanted, health={"command": wanted})
    whole["commands"] = [{"name": "migrate", "service": "backend", "command": wanted}]
    there = as_compose_reads(tmp_path, compose_definition(whole, release()))
    assert literally(there["worker-1"]["command"]) == wanted
    assert literally(there["migrate"]["command"]) == wanted
    assert literally(there["worker-1"]["healthcheck"]["test"]) == ["CMD", *wanted]


def test_settings_of_postgres_arrive_byte_for_byte(tmp_path: Path) -> None:
    wanted = {f"s.v{number}": text for number, text in enumerate(texts("settings"))}
    definition = data_definition(
        {
            "stack": "shop",
            "subnet": "10.213.4.0/22",
            "image": "postgres:17",
            "user": "app",
            "database": "app",
            "memory": "1g",
            "cpus": 1,
            "shm": "64m",
            "options": wanted,
        }
    )
    arguments = literally(as_compose_reads(tmp_path, definition)["postgres"]["command"])
    assert arguments[0] == "postgres"
    assert dict(one.split("=", 1) for one in arguments[2::2]) == wanted


def test_secrets_arrive_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    for number, wanted in enumerate(texts("secrets")):
        path = tmp_path / str(number)
        write_secret(path, wanted, 10001)
        assert path.read_bytes() == wanted.encode()
        assert text_of(path) == wanted
        assert path.stat().st_mode & 0o777 == 0o400


def test_credentials_arrive_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    wanted = {f"V{number}": text for number, text in enumerate(texts("credentials"))}
    word = base64.b64encode(json.dumps(wanted).encode()).decode()
    (tmp_path / "credentials").mkdir()
    credentials.put(tmp_path, "name", credentials.read_credentials(word))
    place = credentials.place(tmp_path, "name")
    assert {path.name: path.read_bytes().decode() for path in place.iterdir()} == wanted


def test_nothing_of_the_project_runs_a_shell_with_a_value() -> None:
    tasks = [*REPOSITORY.glob("roles/*/*/*.yml"), *REPOSITORY.glob("playbooks/*.yml")]
    assert len(tasks) > 30
    for path in tasks:
        assert not re.search(r"ansible\.builtin\.(shell|raw):", path.read_text()), path
    # On a local connection the lock's holder runs what Ansible's own shell plug-in quoted.
    quoted = {"hold.py"}
    for path in (REPOSITORY / "collections").rglob("*.py"):
        if path.parent.name == "action" and path.name in quoted:
            continue
        assert not re.search(r"shell=True|os\.system|os\.popen|\bsh\b.*-c", path.read_text()), path
