"""Whether one Traefik serves what another serves, as their APIs and their certificates tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.acme import (
    DEFAULT_CERTIFICATE,
    shown,
)
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy

ANSWER_SECONDS = 3
# What of an object makes the answer that a visitor gets; versions differ in what else they show.
FIELDS: dict[str, tuple[str, ...]] = {
    "http/routers": ("rule", "service", "entryPoints", "middlewares", "priority", "status"),
    "http/services": ("type", "status", "loadBalancer", "weighted", "failover"),
    "http/middlewares": ("type", "status"),
    "tcp/routers": ("rule", "service", "entryPoints", "status"),
    "tcp/services": ("type", "status"),
    "udp/routers": ("service", "entryPoints", "status"),
    "udp/services": ("type", "status"),
}
_DYNAMIC = "@file"
_SHOWN = 3


def picture(proxy: Proxy) -> dict[str, dict[str, Any]]:
    """Read what a Traefik makes of the dynamic files, by kind and name, with which servers are up.

    ReleaseError when its API does not answer.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, fields in FIELDS.items():
        for one in proxy.get(f"/api/{kind}?per_page=10000"):
            if not str(one.get("name", "")).endswith(_DYNAMIC):
                continue
            facts = {name: one.get(name) for name in fields}
            if balancer := facts.get("loadBalancer"):
                facts["loadBalancer"] = sorted(each["url"] for each in balancer.get("servers", []))
            states = one.get("serverStatus") or {}
            facts["up"] = sorted(url for url, state in states.items() if state == "UP")
            found[f"{kind} {one['name']}"] = facts
    return found


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say in what a new picture falls short of an old one, or nothing.

    A server that only the new one finds up is no shortcoming.
    """
    found = list(_differences(old, new))
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"it lacks {name}"
        elif name not in old:
            yield f"it has {name} besides"
        else:
            for fact, value in old[name].items():
                found = new[name][fact]
                if fact == "up" and set(value) <= set(found):
                    continue
                if found != value:
                    yield f"{name}: {fact} is {found}, not {value}"


def certificates(address: str, names: Sequence[str]) -> dict[str, bytes]:
    """Fetch the certificate that is shown for each name; empty where there is no answer."""
    return {name: certificate(address, name) for name in names}


def certificate(address: str, name: str) -> bytes:
    """Fetch the certificate that is shown for a name, as DER; empty when there is none to be had.

    Two Traefiks' self-signed certificates count as one.
    """
    found = shown(name, address, ANSWER_SECONDS)
    return DEFAULT_CERTIFICATE if DEFAULT_CERTIFICATE in found else found
