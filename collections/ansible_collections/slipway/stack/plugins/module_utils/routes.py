"""Traefik's dynamic configuration of a stack, as plain data.

`public_routes` takes the model and the release, as `definition.py` does, and is part of a release's
fingerprint. The host makes the rest from it while it rolls: `private_routes` here, `canary.py`.

A dynamic file is JSON below a header of comment lines: Traefik reads it as the YAML that it is, and
the host, which has no YAML library, reads it too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    project_name,
    replicas_of,
    services_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.middlewares import (
    PROBE_HEADER,
    RELEASE_HEADER,
    middlewares,
    passage,
)
from ansible_collections.slipway.stack.plugins.module_utils.page import page_service
from ansible_collections.slipway.stack.plugins.module_utils.places import (
    Place,
    hosts_rule,
    places_of,
)

# Below every backend's keep-alive (Gunicorn 2 s, Nginx 75 s): no request meets a closing one.
IDLE_CONNECTION_SECONDS = 1
ROUTES_HEADER = "# slipway release: "
PROBE_SUFFIX = "-probe"
LARGE_SUFFIX = "-large"
# What a service leads to where Traefik asks for health: the replicas that are well, or else all of
# them. Names of stacks and services have no underscore.
HEALTHY_SUFFIX = "_healthy"
ANY_SUFFIX = "_any"
# Stands for the token wherever people and fingerprints see the routes.
PROBE_TOKEN = "@probe-token@"  # noqa: S105 - the place of one
# A visitor's router has twice its path's length, the one for its large bodies lies just above. Each
# kind lies above every router of the one before.
PROBE_PRIORITY = 1_000_000
PRIVATE_PRIORITY = 2_000_000


def public_routes(model: dict[str, Any], release: Release) -> dict[str, Any]:
    """Build Traefik's dynamic configuration that makes this release the one that serves.

    A router per path, so that the longest path wins whichever service it belongs to. Each path of a
    service has a twin for the prober, which passes what keeps visitors out.
    """
    prefix = project_name(model["name"], release.id)
    addresses: dict[str, list[str]] = {}
    for name, _, address in replicas_of(model, release.bank, release.taken_over):
        if address:
            addresses.setdefault(name, []).append(address)
    routers = _routers(model, prefix)
    transport = f"{model['name']}-transport"
    page = {f"{model['name']}-page": page_service(model["edge"]["page"], transport)}
    users = f"/etc/slipway/dynamic/{users_file(model['name'], release.id)}"
    used = {name for router in routers.values() for name in router["middlewares"]}
    return {
        "http": {
            "routers": routers,
            "services": page | _services(model, prefix, addresses, transport),
            "middlewares": middlewares(model, release.id, users, used),
            "serversTransports": {
                transport: {
                    "forwardingTimeouts": {
                        "dialTimeout": "5s",
                        "responseHeaderTimeout": f"{model['edge']['answer_timeout']}s",
                        "idleConnTimeout": f"{IDLE_CONNECTION_SECONDS}s",
                    }
                }
            },
        }
    }


def _services(
    model: dict[str, Any], prefix: str, addresses: dict[str, list[str]], transport: str
) -> dict[str, Any]:
    """Lead to the replicas that are well; to all of them where none is.

    An overloaded server fails its health checks as well, and visitors who wait are better served
    than those whom Traefik turns away by 503 because it knows nobody to ask.
    """
    found: dict[str, Any] = {}
    for name, service in sorted(services_of(model).items()):
        if not service["port"]:
            continue
        balancer = {
            "servers": [
                {"url": f"http://{address}:{service['port']}"} for address in addresses[name]
            ],
            "serversTransport": transport,
        }
        own = f"{prefix}-{name}"
        if health := _traefik_health(model, service):
            healthy, everyone = f"{own}{HEALTHY_SUFFIX}", f"{own}{ANY_SUFFIX}"
            found[own] = {"failover": {"service": healthy, "fallback": everyone}}
            found[healthy] = {"loadBalancer": balancer | health}
            found[everyone] = {"loadBalancer": balancer}
        else:
            found[own] = {"loadBalancer": balancer}
    return found


def _routers(model: dict[str, Any], prefix: str) -> dict[str, Any]:
    routers: dict[str, Any] = {}
    for place in places_of(model):
        passed = passage(model, place.path)
        priority = 2 * max(len(place.path), 1)
        router: dict[str, Any] = {
            "entryPoints": ["websecure"],
            "rule": _rule(place),
            "priority": priority,
            "service": f"{prefix}-{place.service}",
            "middlewares": list(passed.names),
            "tls": {},
        }
        # Neither a stack's nor a service's name has an underscore: no two stacks meet here.
        name = f"{model['name']}_{place.service}_{place.number}"
        routers[name] = router
        if passed.large:
            routers[f"{name}{LARGE_SUFFIX}"] = {
                **router,
                "rule": f"({router['rule']}) && {passed.matcher}",
                "priority": priority + 1,
                "middlewares": [*passed.names, *passed.large],
            }
        if place.own:
            routers[f"{name}{PROBE_SUFFIX}"] = _probe_twin(router, passed.headers)
    if model["edge"]["redirects"]:
        first = next(iter(routers.values()))
        routers[f"{model['name']}_redirect"] = {
            **first,
            "rule": hosts_rule(model["edge"]["redirects"]),
            "priority": 2,
            "middlewares": [passage(model, "/").headers, f"{model['name']}-redirect"],
        }
    return routers


def _probe_twin(router: dict[str, Any], headers: str) -> dict[str, Any]:
    """Return the prober's way to what a router leads to, with nothing between but the headers."""
    return {
        **router,
        "rule": f"({router['rule']}) && Header(`{PROBE_HEADER}`, `{PROBE_TOKEN}`)",
        "priority": PROBE_PRIORITY + router["priority"],
        "middlewares": [headers],
    }


def private_routes(public: dict[str, Any], release_id: str) -> dict[str, Any]:
    """Build what lets the roll alone reach a release that is being tried, from its public routes.

    Every name is its own, so that the file lies beside the routes of any release, this one's too.
    """
    http = public["http"]
    twins = {
        name: router for name, router in http["routers"].items() if name.endswith(PROBE_SUFFIX)
    }
    routers = {
        f"{name.removesuffix(PROBE_SUFFIX)}-next": {
            **router,
            "rule": f"{router['rule']} && Header(`{RELEASE_HEADER}`, `{release_id}`)",
            "priority": PRIVATE_PRIORITY - PROBE_PRIORITY + router["priority"],
        }
        for name, router in twins.items()
    }
    used = {name for router in twins.values() for name in router["middlewares"]}
    reached = {router["service"] for router in twins.values()}
    reached |= {
        name for one in reached for name in http["services"][one].get("failover", {}).values()
    }
    return renamed(
        {
            "http": {
                **http,
                "routers": routers,
                "services": {name: http["services"][name] for name in sorted(reached)},
                "middlewares": {name: http["middlewares"][name] for name in sorted(used)},
            }
        },
        ".next",
        kinds=("services", "middlewares", "serversTransports"),
    )


def renamed(routes: dict[str, Any], suffix: str, *, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return routes with a suffix on the names of these kinds, and wherever they are used.

    None of our names has a dot, so a name that got one here is nobody else's.
    """
    http = routes["http"]

    def new(kind: str, name: str) -> str:
        return f"{name}{suffix}" if kind in kinds else name

    def leading(service: dict[str, Any]) -> dict[str, Any]:
        if failover := service.get("failover"):
            return {"failover": {role: new("services", name) for role, name in failover.items()}}
        transport = new("serversTransports", service["loadBalancer"]["serversTransport"])
        return {"loadBalancer": {**service["loadBalancer"], "serversTransport": transport}}

    return {
        "http": {
            "routers": {
                name: {
                    **router,
                    "service": new("services", router["service"]),
                    "middlewares": [new("middlewares", one) for one in router["middlewares"]],
                }
                for name, router in http["routers"].items()
            },
            "services": {
                new("services", name): leading(service)
                for name, service in http["services"].items()
            },
            **{
                kind: {new(kind, name): one for name, one in http[kind].items()}
                for kind in ("middlewares", "serversTransports")
            },
        }
    }


def service_by_router(*files: dict[str, Any]) -> dict[str, str]:
    """Return what Traefik's API has to show of these files: each router with its service."""
    return {
        name: router["service"]
        for routes in files
        for name, router in routes["http"]["routers"].items()
    }


def routes_text(release_id: str, routes: dict[str, Any]) -> str:
    """Write a dynamic file; its header says which release serves, or is tried."""
    return f"{ROUTES_HEADER}{release_id}\n---\n{json.dumps(routes, indent=2)}\n"


def read_routes(text: str) -> dict[str, Any]:
    """Read a dynamic file; ValueError when it is not one of ours."""
    routes: dict[str, Any] = json.loads(text.partition("\n---\n")[2])
    return routes


def probe_token(key: bytes, stack: str) -> str:
    """Return what tells the prober of a stack from its visitors; only the host can know it."""
    return hmac.new(key, f"probe {stack}".encode(), hashlib.sha256).hexdigest()[:32]


def with_token(text: str, key: bytes, stack: str) -> str:
    """Put the token where its placeholder stands: in what Traefik reads, never in what is shown."""
    return text.replace(PROBE_TOKEN, probe_token(key, stack))


def without_token(text: str, key: bytes, stack: str) -> str:
    """Put the placeholder back."""
    return text.replace(probe_token(key, stack), PROBE_TOKEN)


def router_names(model: dict[str, Any]) -> list[str]:
    """Name the stack's routers, all of which lead to one release at any time."""
    placeholder = Release(id="", bank=1, version="", images={})
    return list(public_routes(model, placeholder)["http"]["routers"])


def users_file(stack: str, release_id: str) -> str:
    """Name the file of users; Traefik reads only .yml, .yaml and .toml as configuration."""
    return f"{project_name(stack, release_id)}.users"


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


def _rule(place: Place) -> str:
    """Match `/api` and what lies below it, `/api/notes`, but never `/apiary`."""
    hosts = hosts_rule(place.domains)
    prefix = place.path.rstrip("/")
    if not prefix:
        return hosts
    return f"({hosts}) && (Path(`{prefix}`) || PathPrefix(`{prefix}/`))"
