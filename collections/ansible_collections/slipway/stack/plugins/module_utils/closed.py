"""Traefik's dynamic files of a stack that answer with its page in the place of a release.

Their routers lead to a service without servers, which fails at once and reads no body; what has
failed is answered with the page, see `page.py`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.cdn import IPV6
from ansible_collections.slipway.stack.plugins.module_utils.page import (
    RETRY_SECONDS,
    page_middleware,
    page_service,
)
from ansible_collections.slipway.stack.plugins.module_utils.places import domains_of, hosts_rule

# Below every router of a release: who has none is led here.
FALLBACK_PRIORITY = -1
# Above every visitor's router, those of a canary too, and below the prober's.
MAINTENANCE_PRIORITY = 500_000
STAFF_COOKIE = "__Host-slipway-staff"
STAFF_PATH = "/slipway-staff/"
STAFF_SECONDS = 86_400


def fallback_routes(model: dict[str, Any]) -> dict[str, Any]:
    """Build what answers for a stack while no release of it is routed."""
    return _answering(
        model, "fallback", hosts_rule(domains_of(model)), FALLBACK_PRIORITY, RETRY_SECONDS
    )


def maintenance_routes(model: dict[str, Any], after: int, token: str) -> dict[str, Any]:
    """Build what answers in the place of a stack's release, to everybody but the staff.

    Whoever is of the staff, and the prober, is led on as if nothing were. Who opens the staff's
    link gets their cookie.
    """
    name = f"{model['name']}.maintenance"
    hosts = hosts_rule(domains_of(model))
    passes = staff_matchers(model["edge"], token)
    rule = f"({hosts}) && !({' || '.join(passes)})" if passes else hosts
    routes = _answering(model, "maintenance", rule, MAINTENANCE_PRIORITY, after)
    if token:
        http = routes["http"]
        http["routers"][f"{name}-staff"] = {
            "entryPoints": ["websecure"],
            "rule": f"({hosts}) && Path(`{STAFF_PATH}{token}`)",
            "priority": MAINTENANCE_PRIORITY + 1,
            "service": f"{name}-nobody",
            "middlewares": [f"{name}-cookie", f"{name}-home"],
            "tls": {},
            # The path is the pass.
            "observability": {"accessLogs": False},
        }
        http["middlewares"] |= {
            f"{name}-cookie": {
                "headers": {
                    "customResponseHeaders": {
                        "Set-Cookie": f"{STAFF_COOKIE}={token}; Path=/; Max-Age={STAFF_SECONDS}; "
                        "Secure; HttpOnly; SameSite=Lax",
                        "Cache-Control": "no-store",
                        "Referrer-Policy": "no-referrer",
                    }
                }
            },
            f"{name}-home": {
                "redirectRegex": {"regex": "^https://([^/]+)/.*$", "replacement": "https://${1}/"}
            },
        }
    return routes


def staff_matchers(edge: dict[str, Any], token: str) -> list[str]:
    """Match requests of the staff, each matcher for itself."""
    found = [f"ClientIP(`{address}`)" for address in edge["staff_addresses"]]
    if edge["behind_cdn"] and edge["staff_addresses"]:
        last = "|".join(map(address_pattern, edge["staff_addresses"]))
        found.append(f"HeaderRegexp(`X-Forwarded-For`, `(^|[ ,])({last})$`)")
    if token:
        cookie = f"(^|; ?){STAFF_COOKIE}={token}(;|$)"
        found.append(f"HeaderRegexp(`Cookie`, `{cookie}`)")
    return found


def address_pattern(network: str) -> str:
    """Return a regular expression of an IPv4 network's addresses, or of one IPv6 address.

    Traefik cannot match a network in X-Forwarded-For, where a CDN writes down who asks.
    """
    found = ip_network(network)
    if found.version == IPV6:
        return str(found.network_address)
    whole, bits = divmod(found.prefixlen, 8)
    octets = [str(one) for one in found.network_address.packed]
    parts = octets[:whole]
    if bits:
        first = int(octets[whole])
        parts.append(f"({'|'.join(str(first + more) for more in range(2 ** (8 - bits)))})")
    parts += ["[0-9]{1,3}"] * (4 - len(parts))
    return "[.]".join(parts)


def _answering(
    model: dict[str, Any], kind: str, rule: str, priority: int, after: int
) -> dict[str, Any]:
    """Answer whatever is asked with the page. None of our other names has a dot."""
    name = f"{model['name']}.{kind}"
    return {
        "http": {
            "routers": {
                name: {
                    "entryPoints": ["websecure"],
                    "rule": rule,
                    "priority": priority,
                    "service": f"{name}-nobody",
                    "middlewares": [f"{name}-page"],
                    "tls": {},
                }
            },
            "services": {
                f"{name}-nobody": {"loadBalancer": {"servers": []}},
                f"{name}-page": page_service(model["edge"]["page"]),
            },
            "middlewares": {
                f"{name}-page": page_middleware(model["name"], f"{name}-page", after=after)
            },
        }
    }
