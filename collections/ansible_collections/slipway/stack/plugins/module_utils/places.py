"""Where visitors can come to: the paths of the services, and those that a rule is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import services_of
from ansible_collections.slipway.stack.plugins.module_utils.middlewares import ruled_paths


@dataclass(frozen=True)
class Place:
    """A path on some domains, and the service that answers there.

    `number` counts the places of a service; `own` tells a path that the service itself names.
    """

    service: str
    number: int
    path: str
    domains: tuple[str, ...]
    own: bool


def places_of(model: dict[str, Any]) -> list[Place]:
    """List a stack's places by service, its own paths first."""
    default = [model["domain"], *model["domain_aliases"]]
    routed = {
        name: (tuple(service["domains"] or default), service["paths"])
        for name, service in sorted(services_of(model).items())
        if service["port"]
    }
    places = []
    for name, (domains, paths) in routed.items():
        own = {path.rstrip("/") for path in paths}
        ruled = {
            path: tuple(one for one in domains if _owner(routed, one, path) == name)
            for path in sorted(ruled_paths(model["edge"]) - own)
        }
        found = [(path, domains, True) for path in paths]
        found += [(path, some, False) for path, some in ruled.items() if some]
        places += [
            Place(name, number, path, some, is_own)
            for number, (path, some, is_own) in enumerate(found)
        ]
    return places


def _owner(
    routed: dict[str, tuple[tuple[str, ...], list[str]]], domain: str, path: str
) -> str | None:
    """Name the service that answers a path of a domain."""
    reach = {
        name: max(
            (len(one) for one in paths if f"{path}/".startswith(f"{one.rstrip('/')}/")), default=0
        )
        for name, (domains, paths) in routed.items()
        if domain in domains
    }
    best = max(reach, key=lambda name: reach[name], default=None)
    return best if best and reach[best] else None


def domains_of(model: dict[str, Any]) -> list[str]:
    """List every host name that belongs to a stack."""
    own = [model["domain"], *model["domain_aliases"], *model["edge"]["redirects"]]
    others = [one for service in services_of(model).values() for one in service["domains"]]
    return list(dict.fromkeys([*own, *others]))


def hosts_rule(domains: Iterable[str]) -> str:
    """Match any of these host names."""
    return " || ".join(f"Host(`{domain}`)" for domain in domains)
