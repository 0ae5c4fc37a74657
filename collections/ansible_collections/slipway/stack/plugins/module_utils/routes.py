"""Traefik's dynamic configuration of a stack, as plain data.

The functions are pure and take the model and the release, as `definition.py` does; what they return
is part of a release's fingerprint.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    project_name,
    replicas_of,
    services_of,
)

# Below every backend's keep-alive (Gunicorn 2 s, Nginx 75 s): no request meets a closing one.
IDLE_CONNECTION_SECONDS = 1
ROUTES_HEADER = "# slipway release: "


def public_routes(model: dict[str, Any], release: Release) -> dict[str, Any]:
    """Build Traefik's dynamic configuration that makes this release the one that serves.

    A router per path, so that the longest path wins whichever service it belongs to.
    """
    prefix = project_name(model["name"], release.id)
    routed = {name: service for name, service in services_of(model).items() if service["port"]}
    addresses: dict[str, list[str]] = {}
    for name, _, address in replicas_of(model, release.bank):
        if address:
            addresses.setdefault(name, []).append(address)
    middlewares = _middlewares(model, release)
    return {
        "http": {
            "routers": {
                f"{model['name']}-{name}-{index}": {
                    "entryPoints": ["websecure"],
                    "rule": _rule(model, service, path),
                    "priority": len(path),
                    "service": f"{prefix}-{name}",
                    "middlewares": list(middlewares),
                    "tls": {},
                }
                for name, service in sorted(routed.items())
                for index, path in enumerate(service["paths"])
            },
            "services": {
                f"{prefix}-{name}": {
                    "loadBalancer": {
                        "servers": [
                            {"url": f"http://{address}:{service['port']}"}
                            for address in addresses[name]
                        ],
                        "serversTransport": f"{model['name']}-transport",
                        **_traefik_health(model, service),
                    }
                }
                for name, service in sorted(routed.items())
            },
            "middlewares": middlewares,
            "serversTransports": {
                f"{model['name']}-transport": {
                    "forwardingTimeouts": {
                        "dialTimeout": "5s",
                        "idleConnTimeout": f"{IDLE_CONNECTION_SECONDS}s",
                    }
                }
            },
        }
    }


def router_names(model: dict[str, Any]) -> list[str]:
    """Name the stack's routers, all of which lead to one release at any time."""
    placeholder = Release(id="", bank=1, version="", images={})
    return list(public_routes(model, placeholder)["http"]["routers"])


def users_file(stack: str, release_id: str) -> str:
    """Name the file of users; Traefik reads only .yml, .yaml and .toml as configuration."""
    return f"{project_name(stack, release_id)}.users"


def _middlewares(model: dict[str, Any], release: Release) -> dict[str, Any]:
    """Return the middlewares of every router, in the order in which requests pass them."""
    headers = {"X-Slipway-Release": release.id}
    if model["noindex"]:
        headers["X-Robots-Tag"] = "noindex, nofollow"
    chain: dict[str, Any] = {
        f"{model['name']}-headers": {"headers": {"customResponseHeaders": headers}}
    }
    if model["basic_auth"]:
        users = f"/etc/slipway/dynamic/{users_file(model['name'], release.id)}"
        chain[f"{model['name']}-users"] = {
            "basicAuth": {"usersFile": users, "realm": model["name"], "removeHeader": True}
        }
    return chain


def _traefik_health(model: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """Have Traefik ask the same question as the roll; a command inside takes its place."""
    health = service["health"]
    if health["command"]:
        return {}
    return {
        "healthCheck": {
            "path": health["path"],
            "hostname": health["host"] or model["domain"],
            "headers": {"X-Forwarded-Proto": health["proto"]},
            "interval": f"{health['interval']}s",
            "timeout": f"{health['timeout']}s",
        }
    }


def _rule(model: dict[str, Any], service: dict[str, Any], path: str) -> str:
    """Match `/api` and what lies below it, `/api/notes`, but never `/apiary`."""
    domains = service["domains"] or [model["domain"], *model["domain_aliases"]]
    hosts = " || ".join(f"Host(`{domain}`)" for domain in domains)
    prefix = path.rstrip("/")
    if not prefix:
        return hosts
    return f"({hosts}) && (Path(`{prefix}`) || PathPrefix(`{prefix}/`))"
