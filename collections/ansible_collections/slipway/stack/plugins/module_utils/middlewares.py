"""What stands between a visitor and the application, as Traefik's middlewares.

What the inventory says of a path holds for everything below it; for each kind of rule the longest
path that says something counts. `model["edge"]` has the rules, see `roles/stack/vars/main.yml`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.page import page_middleware

RELEASE_HEADER = "X-Slipway-Release"
PROBE_HEADER = "X-Slipway-Probe"
PAGE_SUFFIX = "-page"

# Headers by which others say who asks. Anybody can send them; X-Forwarded-For has the truth.
CLAIMS = (
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Pseudo-IPv4",
    "Fastly-Client-IP",
    "Forwarded",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-Forwarded-For",
)
# What a CDN passes on from its visitors unseen, and Traefik believes because the CDN sent it.
PASSED_ON = (
    "X-Forwarded-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-Uri",
    "X-Real-Ip",
    "X-Scheme",
)
# Behind a CDN the visitor is the last one that X-Forwarded-For names when a request comes in.
CDN_VISITOR = {"depth": 1}
# What a text of these types costs to compress, its visitors save. Answers that are compressed
# already, and streams of events, pass as they are.
COMPRESSED_TYPES = (
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/wasm",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
)
# A provider gives a household, and an attacker, a whole /64.
IPV6_HOUSEHOLD = 64
# Traefik can only count a body of unknown length by collecting it, in the memory that it has: so
# many bytes, of so many requests of a path at once.
UNANNOUNCED_BYTES = 4 * 1024**2
UNANNOUNCED_AT_ONCE = 4
# Of the answers to such requests, which are collected too.
ANSWER_BYTES = 16 * 1024**2
UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}

Middlewares = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Passage:
    """The names of what a visitor of a path passes; the prober passes `headers` alone.

    `large` stands before the application where a body is too large, or of unknown length;
    `matcher` tells such requests. Both are empty where there is no limit.
    """

    names: tuple[str, ...]
    headers: str
    large: tuple[str, ...] = ()
    matcher: str = ""


def ruled_paths(edge: dict[str, Any]) -> set[str]:
    """Return the paths that some rule is about, without a closing slash."""
    kinds = ("policies", "rate_limits", "max_body")
    return {path.rstrip("/") for kind in kinds for path in edge[kind]}


def passage(model: dict[str, Any], path: str) -> Passage:
    """Name what a visitor of a path passes; `middlewares` has them by these names."""
    name, edge = model["name"], model["edge"]
    policy, limit, body = (
        rule_of(edge[kind], path) for kind in ("policies", "rate_limits", "max_body")
    )
    headers = _numbered(f"{name}-headers", edge["policies"], policy)
    # Outermost: the page is not the application's, and has a policy of its own.
    names = [f"{name}{PAGE_SUFFIX}", headers]
    names += [f"{name}-compress"] if edge["compress"] else []
    names += [f"{name}-addresses"] if edge["addresses"] else []
    names += [_numbered(f"{name}-rate", edge["rate_limits"], limit)] if limit is not None else []
    names += [f"{name}-users"] if model["basic_auth"] else []
    if body is None:
        return Passage(tuple(names), headers)
    large = (f"{name}-unannounced", _numbered(f"{name}-body", edge["max_body"], body))
    return Passage(tuple(names), headers, large, unbounded(byte_count(edge["max_body"][body])))


def middlewares(
    model: dict[str, Any], release_id: str, users: str, used: Iterable[str]
) -> Middlewares:
    """Build those of the stack's middlewares that are used; `users` is the file of passwords."""
    name, edge = model["name"], model["edge"]
    policies = {None: "", **edge["policies"]}
    found: Middlewares = {
        _numbered(f"{name}-headers", edge["policies"], path): _headers(model, release_id, policy)
        for path, policy in policies.items()
    }
    found[f"{name}{PAGE_SUFFIX}"] = page_middleware(name, f"{name}-page")
    found[f"{name}-compress"] = {
        "compress": {
            "encodings": ["zstd", "gzip"],
            "includedContentTypes": list(COMPRESSED_TYPES),
        }
    }
    found[f"{name}-addresses"] = {
        "ipAllowList": {
            "sourceRange": edge["addresses"],
            **({"ipStrategy": CDN_VISITOR} if edge["behind_cdn"] else {}),
        }
    }
    visitor = CDN_VISITOR if edge["behind_cdn"] else {}
    for path, limit in edge["rate_limits"].items():
        rate = {"rateLimit": _rate(limit, visitor)}
        found[_numbered(f"{name}-rate", edge["rate_limits"], path)] = rate
    found[f"{name}-users"] = {
        "basicAuth": {"usersFile": users, "realm": name, "removeHeader": True}
    }
    found[f"{name}-unannounced"] = {
        "inFlightReq": {
            "amount": UNANNOUNCED_AT_ONCE,
            "sourceCriterion": {"requestHost": True},
        }
    }
    for path, size in edge["max_body"].items():
        most = min(byte_count(size), UNANNOUNCED_BYTES)
        found[_numbered(f"{name}-body", edge["max_body"], path)] = {
            "buffering": {
                "maxRequestBodyBytes": most,
                # All in memory; of what comes beyond it Traefik reads one piece, into a file.
                "memRequestBodyBytes": most,
                "memResponseBodyBytes": ANSWER_BYTES,
            }
        }
    found[f"{name}-redirect"] = {
        "redirectRegex": {
            "regex": "^https?://[^/]+/(.*)$",
            "replacement": f"https://{model['domain']}/${{1}}",
            "permanent": True,
        }
    }
    wanted = set(used)
    return {name: one for name, one in found.items() if name in wanted}


def is_page(name: str) -> bool:
    """Tell whether a middleware is the page's, by its name; after a dot it names a release."""
    return name.partition(".")[0].endswith(PAGE_SUFFIX)


def rule_of(rules: dict[str, Any], path: str) -> str | None:
    """Return the key of the longest path that a path is, or lies below; None if there is none."""
    above = [key for key in rules if f"{path.rstrip('/')}/".startswith(f"{key.rstrip('/')}/")]
    return max(above, key=lambda key: len(key.rstrip("/")), default=None)


def byte_count(size: str) -> int:
    """Return the bytes of a size such as `20m`."""
    return int(size[:-1]) * UNITS[size[-1]]


def unbounded(limit: int) -> str:
    """Match a body that says it is larger than so many bytes, or does not say its length.

    Traefik shows no other header of a body, so only methods that have one are taken to.
    """
    writes = " || ".join(f"Method(`{method}`)" for method in ("POST", "PUT", "PATCH"))
    return (
        f"(HeaderRegexp(`Content-Length`, `{above(limit)}`) || "
        f"(({writes}) && !HeaderRegexp(`Content-Length`, `.`)))"
    )


def above(limit: int) -> str:
    """Return the regular expression of the decimal numbers above a limit."""
    digits = str(limit)
    larger = [
        f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    longer = f"[0-9]{{{len(digits) + 1},}}"
    return f"^({'|'.join([*larger, longer])})$"


def _numbered(name: str, rules: dict[str, Any], path: str | None) -> str:
    """Name the middleware of one of several rules; none is the stack's own name for all others."""
    if path is None:
        return name
    return f"{name}-{sorted(rules).index(path)}"


def _headers(model: dict[str, Any], release_id: str, policy: str) -> dict[str, Any]:
    response = {**model["edge"]["headers"], RELEASE_HEADER: release_id}
    if policy:
        response["Content-Security-Policy"] = policy
    if model["noindex"]:
        response["X-Robots-Tag"] = "noindex, nofollow"
    return {
        "headers": {
            "customResponseHeaders": response,
            # An empty value takes a header away.
            "customRequestHeaders": dict.fromkeys(_dropped(model["edge"]), ""),
        }
    }


def _dropped(edge: dict[str, Any]) -> tuple[str, ...]:
    """List what the application has no use for, or must not believe."""
    return (PROBE_HEADER, *CLAIMS, *(PASSED_ON if edge["behind_cdn"] else ()))


def _rate(limit: dict[str, Any], visitor: dict[str, int]) -> dict[str, Any]:
    return {
        "average": limit["requests"],
        "period": f"{limit.get('seconds', 1)}s",
        "burst": limit.get("burst", limit["requests"]),
        "sourceCriterion": {"ipStrategy": {"ipv6Subnet": IPV6_HOUSEHOLD, **visitor}},
    }
