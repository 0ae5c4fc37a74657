"""What must fit together in what stands between visitors and the application.

One small function for each rule. Each reads sound values only and never repeats a problem that is
known already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from ansible_collections.slipway.stack.plugins.module_utils.cdn import IPV6, cdn_networks
from ansible_collections.slipway.stack.plugins.module_utils.preflight import (
    MINIMUM_TRAEFIK,
    dotted,
    older,
)
from ansible_collections.slipway.stack.plugins.module_utils.problems import Problem, Values

BY_PATH = ("stack_content_security_policy", "stack_rate_limits", "stack_max_body")
# Who sets these headers, and where what they say belongs.
HEADERS_TAKEN = {
    "content-security-policy": "Put it into stack_content_security_policy.",
    "x-robots-tag": "Set stack_noindex.",
    "x-slipway-release": "Take the line out, Slipway sets it.",
    "x-slipway-probe": "Take the line out, Slipway sets it.",
}


def _redirects(values: Values) -> Iterator[Problem]:
    """Want a name that redirects to be answered by nobody else."""
    own = {
        "stack_domain": [values.sound.get("stack_domain")],
        "stack_domain_aliases": values.sound.get("stack_domain_aliases", []),
        **{
            f"stack_services.{name}.domains": service["domains"]
            for name, service in values.services.items()
        },
    }
    for index, domain in values.items("stack_domain_redirects"):
        answers = next((variable for variable, domains in own.items() if domain in domains), None)
        if answers:
            wrong = f"{domain} is in {answers} too"
            cure = "Take it out of one of them: it either redirects or answers."
            yield Problem(f"stack_domain_redirects[{index}]", wrong, cure)


def _headers(values: Values) -> Iterator[Problem]:
    """Want each header once, and no header that comes from elsewhere."""
    seen: dict[str, str] = {}
    for header in values.mapping("stack_security_headers"):
        path = f"stack_security_headers.{header}"
        name = header.lower()
        if name in HEADERS_TAKEN:
            yield Problem(path, "does not belong here", HEADERS_TAKEN[name])
        elif name in seen:
            yield Problem(path, f"is the same header as {seen[name]}", "Take one of them out.")
        seen[name] = header


def _ruled_paths(values: Values) -> Iterator[Problem]:
    """Want a rule to be about a path that is answered, and each path once."""
    answered = {
        path.rstrip("/")
        for service in values.services.values()
        if "port" in service
        for path in service["paths"]
        if path is not None
    }
    for variable in BY_PATH:
        seen: dict[str, str] = {}
        for path in values.mapping(variable):
            plain = path.rstrip("/")
            where = f"{variable}.{path}"
            if plain in seen:
                yield Problem(where, f"is the same path as {seen[plain]}", "Take one of them out.")
            seen[plain] = path
            below = any(f"{plain}/".startswith(f"{one}/") for one in answered)
            holds = any(f"{one}/".startswith(f"{plain}/") for one in answered)
            if not below and not holds and not values.broken("stack_services"):
                wrong = "is below none of the services' paths"
                cure = "Correct the path, or take the line out."
                yield Problem(where, wrong, cure)


def _traefik_version(values: Values) -> Iterator[Problem]:
    """Refuse a Traefik that is not safe to stand in front, as far as its tag tells."""
    image = values.sound.get("traefik_image") or ""
    tag = re.search(r":(v?\d+\.\d+\.\d+)[^/@]*(?:@|$)", image)
    if tag and older(tag[1], MINIMUM_TRAEFIK):
        yield Problem(
            "traefik_image",
            f"{tag[1]} has known ways around its authentication and path rules",
            f"Take {dotted(MINIMUM_TRAEFIK)} or newer.",
        )


def _cdn(values: Values) -> Iterator[Problem]:
    """Want a CDN where it is the only one to come in, and staff that can be told behind it."""
    cdn = values.sound.get("edge_cdn")
    networks = [one for one in cdn if one] if isinstance(cdn, list) else cdn
    if values.sound.get("edge_cdn_only") is True and not values.broken("edge_cdn"):
        if not networks:
            yield Problem(
                "edge_cdn_only",
                "is true, and edge_cdn names nobody",
                "Name the CDN there, or make it false.",
            )
        elif not cdn_networks(networks, 4):
            yield Problem(
                "edge_cdn_only",
                "is true, and edge_cdn has no IPv4 network, so that nobody could come in on IPv4",
                "Add the CDN's IPv4 networks.",
            )
    for index, address in values.items("stack_staff_addresses") if networks else ():
        if address is not None and _is_ipv6_network(address):
            yield Problem(
                f"stack_staff_addresses[{index}]",
                f"{address} is an IPv6 network, which cannot be told behind a CDN",
                "Give single IPv6 addresses, or let these people pass by stack_staff_token.",
            )


def _is_ipv6_network(text: str) -> bool:
    network = ip_network(text)
    return network.version == IPV6 and network.num_addresses > 1


EDGE_CHECKS = (_cdn, _redirects, _headers, _ruled_paths, _traefik_version)
