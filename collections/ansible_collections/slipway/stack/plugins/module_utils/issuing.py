"""What Traefik is to ask a CA for: the certificates of a stack, and those of the host as a whole.

Traefik asks for one certificate for each router that names the resolver, for the names in its rule,
the first of which is the certificate's main one. The routers here are there for that alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

RESOLVER = "acme"
WILDCARD = "*."
# No visitor asks by that method.
METHOD = "SLIPWAY"


def covers(certified: str, name: str) -> bool:
    """Tell whether what a certificate is for includes a name: a wildcard stands for one label."""
    label, _, parent = name.partition(".")
    return certified == name or (label != "*" and certified == f"{WILDCARD}{parent}")


def left_to_ask(names: Sequence[str], domains: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a stack's names that none of `traefik_acme_domains` is for, each once."""
    certified = [name for one in domains for name in names_of(one)]
    found = [name for name in names if not any(covers(one, name) for one in certified)]
    return list(dict.fromkeys(found))


def names_of(domain: Mapping[str, Any]) -> list[str]:
    """List the names of one of `traefik_acme_domains`, the main one first."""
    return [domain["main"], *domain.get("sans", [])]


def stack_request(names: Sequence[str], stack: str) -> dict[str, Any]:
    """Ask for one certificate for a stack's names."""
    return {"http": {"routers": {f"{stack}.certificate": _router(names)}}}


def host_requests(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ask for each of `traefik_acme_domains`; return routers."""
    return {
        f"slipway-certificate-{number}": _router(names_of(domain))
        for number, domain in enumerate(domains, 1)
    }


def _router(names: Sequence[str]) -> dict[str, Any]:
    hosts = " || ".join(f"Host(`{name}`)" for name in names)
    return {
        "entryPoints": ["websecure"],
        "rule": f"({hosts}) && Method(`{METHOD}`)",
        "service": "noop@internal",
        "tls": {"certResolver": RESOLVER},
    }
