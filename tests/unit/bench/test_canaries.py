"""Looking for planted secrets: in texts, and in the arguments of processes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench.canaries import Processes, inventory, planted, shown

BEFORE = ("", "a", "ab")
SECRETS = {"one": 'can\'t "tell" \\ ü', "other": "never-said"}


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        'said: can\'t "tell" \\ ü.',
        '{"a": "can\'t \\"tell\\" \\\\ \\u00fc"}',
        "{'a': 'can\\'t \"tell\" \\\\ ü'}",
        *(in_base64(f"{before}{SECRETS['one']} after") for before in BEFORE),
        in_base64(json.dumps({"a": SECRETS["one"]})),
    ],
    ids=["as it is", "in JSON", "in Python", *(f"in base64 {one}" for one in BEFORE), "in both"],
)
def test_a_secret_is_known_in_whatever_shape(text: str) -> None:
    assert shown(text, SECRETS) == {"one"}
    assert not shown("nothing of it", SECRETS)


def test_a_secret_in_a_processs_arguments_is_seen() -> None:
    sleep = [sys.executable, "-c", "input()", "never-said"]
    with (
        Processes(SECRETS) as processes,
        subprocess.Popen(sleep, stdin=subprocess.PIPE) as asleep,
    ):
        bound = time.monotonic() + 10
        while not processes.seen and time.monotonic() < bound:
            time.sleep(0.01)
        asleep.communicate(b"\n")
    assert processes.seen == {"other"}


def test_planted_secrets_are_those_of_all_test_inventories_and_of_ones_own(tmp_path: Path) -> None:
    folder = inventory(tmp_path / "next", "a-host", vault_a="ü", vault_postgres_login="app_b")
    found = planted(Path(folder) / "group_vars/docker_hosts/vault.yml")
    assert found["vault_a of next"] == "ü"
    assert "vault_django_secret_key of production" in found
    assert not [name for name in found if "login" in name]
