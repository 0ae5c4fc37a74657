"""What Django's own check says of the application as it is deployed."""

from __future__ import annotations

from typing import Any


def test_check_for_deployments_finds_nothing(server: Any, waivers: dict[str, Any]) -> None:
    backend = next(name for name in server.containers(all_=False) if "-backend-" in name)
    check = ("python", "manage.py", "check", "--deploy", "--fail-level=INFO")
    said = server.run("docker", "exec", backend, *check)
    assert f"no issues ({len(waivers['django'])} silenced)" in said


def test_only_what_is_waived_is_silenced(server: Any, waivers: dict[str, Any]) -> None:
    backend = next(name for name in server.containers(all_=False) if "-backend-" in name)
    ask = "from config import settings; print(*settings.SILENCED_SYSTEM_CHECKS)"
    silenced = server.run("docker", "exec", backend, "python", "-c", ask).split()
    assert set(silenced) == set(waivers["django"])
