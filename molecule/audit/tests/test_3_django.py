"""What Django's own check says of the application as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def python(server: Any) -> Callable[..., str]:
    """Return what runs Python in a container of the backend that serves."""
    backend = next(name for name in server.containers(all_=False) if "-backend-" in name)
    return lambda *arguments: str(server.run("docker", "exec", backend, "python", *arguments))


def test_check_for_deployments_finds_nothing(
    python: Callable[..., str], waivers: dict[str, Any]
) -> None:
    said = python("manage.py", "check", "--deploy", "--fail-level=INFO")
    assert f"no issues ({len(waivers['django'])} silenced)" in said


def test_only_what_is_waived_is_silenced(
    python: Callable[..., str], waivers: dict[str, Any]
) -> None:
    ask = "from config import settings; print(*settings.SILENCED_SYSTEM_CHECKS)"
    assert set(python("-c", ask).split()) == set(waivers["django"])
