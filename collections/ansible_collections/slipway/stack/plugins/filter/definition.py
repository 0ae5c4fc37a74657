"""Filters that turn the model of a stack into the files of a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.closed import (
    fallback_routes,
    maintenance_routes,
)
from ansible_collections.slipway.stack.plugins.module_utils.data import data_definition
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    commands_of,
    compose_definition,
    services_of,
    volumes_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import public_routes


def compose_filter(model: dict[str, Any], release: dict[str, Any]) -> dict[str, Any]:
    """Return the compose file of a release."""
    return compose_definition(model, Release.from_mapping(release))


def routes_filter(model: dict[str, Any], release: dict[str, Any]) -> dict[str, Any]:
    """Return Traefik's dynamic configuration of a release."""
    return public_routes(model, Release.from_mapping(release))


def secrets_filter(model: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """Give each service that reads secrets its uid and exactly its own values."""
    return {
        name: {"uid": service["uid"], "values": {key: secrets[key] for key in service["secrets"]}}
        for name, service in services_of(model).items()
        if service["secrets"]
    }


def commands_filter(model: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what the host needs of the commands, by when they run and in their order."""
    return {
        when: [
            {key: command[key] for key in ("name", "timeout")}
            for command in commands_of(model)
            if command["when"] == when
        ]
        for when in ("before", "after")
    }


class FilterModule:
    """Make the filters known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "data_definition": data_definition,
            "compose_definition": compose_filter,
            "public_routes": routes_filter,
            "fallback_routes": fallback_routes,
            "maintenance_routes": maintenance_routes,
            "secrets_by_service": secrets_filter,
            "commands_by_time": commands_filter,
            "complete_volumes": volumes_of,
        }
