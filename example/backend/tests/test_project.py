import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.management import call_command

BACKEND = Path(__file__).parent.parent


def test_the_deployment_checks_are_clean() -> None:
    call_command("check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.django_db
def test_no_model_change_lacks_its_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run")


def test_what_the_image_installs_is_what_the_lock_says() -> None:
    lock = tomllib.loads((BACKEND / "uv.lock").read_text())
    locked = {(entry["name"], entry["version"]) for entry in lock["package"]}
    requirements = (BACKEND / "requirements.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", requirements, flags=re.MULTILINE))
    assert pinned
    assert pinned <= locked


def test_nothing_in_the_environment_turns_debugging_on() -> None:
    wishes = {"DJANGO_DEBUG": "true", "DEBUG": "true", "DJANGO_SETTINGS_MODULE": "config.settings"}
    shown = subprocess.run(
        [sys.executable, "manage.py", "diffsettings", "--all"],
        cwd=BACKEND,
        env=os.environ | wishes,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(r"^(?:### )?DEBUG = False$", shown, flags=re.MULTILINE)
    for name in ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"):
        assert f"{name} = True" in shown
    assert "'development'" not in shown


def test_no_image_gets_what_is_for_development() -> None:
    rules = (BACKEND / ".dockerignore").read_text().split()
    assert rules[0] == "*"
    assert {"!development", "!tests"}.isdisjoint(rules)
