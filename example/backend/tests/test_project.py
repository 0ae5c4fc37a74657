import re
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
