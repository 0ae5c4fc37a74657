"""As much of Traefik as it takes to tell where a request goes: rules, priorities, weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class Request:
    path: str = "/"
    host: str = "shop.example.com"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    address: str = "198.51.100.1"

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


def _told(answer: Callable[[re.Match[str]], bool], found: re.Match[str]) -> str:
    return str(answer(found))


def fits(rule: str, request: Request) -> bool:
    """Evaluate the few matchers that our rules use, as Traefik does."""
    answers = {
        r"ClientIP\(`(.*?)`\)": (lambda found: ip_address(request.address) in ip_network(found[1])),
        r"Host\(`(.*?)`\)": lambda found: request.host == found[1],
        r"Method\(`(.*?)`\)": lambda found: request.method == found[1],
        r"HeaderRegexp\(`(.*?)`, `(.*?)`\)": (
            lambda found: bool(re.search(found[2], request.header(found[1])))
        ),
        r"Header\(`(.*?)`, `(.*?)`\)": lambda found: request.header(found[1]) == found[2],
        r"PathPrefix\(`(.*?)`\)": lambda found: request.path.startswith(found[1]),
        r"Path\(`(.*?)`\)": lambda found: request.path == found[1],
    }
    python = rule
    for matcher, answer in answers.items():
        python = re.sub(matcher, partial(_told, answer), python)
    return bool(eval(python.replace("||", "or").replace("&&", "and").replace("!", " not ")))  # noqa: S307


def router_of(request: Request, *files: dict[str, Any]) -> dict[str, Any] | None:
    """Return the router that takes a request, or None; a tie is an error of the files."""
    fitting = [
        router
        for routes in files
        for router in routes["http"]["routers"].values()
        if fits(router["rule"], request)
    ]
    best = max(fitting, key=lambda router: router["priority"], default=None)
    if best:
        equal = [one for one in fitting if one["priority"] == best["priority"]]
        assert len({one["service"] for one in equal}) == 1, equal
    return best


def leaves(
    service: str, routes: dict[str, Any], middlewares: tuple[str, ...] = (), share: float = 1
) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield (release's service, middlewares on the way, share) for all that a service leads to."""
    found = routes["http"]["services"][service]
    middlewares = (*middlewares, *found.get("middlewares", []))
    if "loadBalancer" in found or "failover" in found:
        yield service, middlewares, share
        return
    children = found["weighted"]["services"]
    total = sum(child["weight"] for child in children)
    for child in children:
        yield from leaves(child["name"], routes, middlewares, share * child["weight"] / total)


def shares(request: Request, routes: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return, by release named in the header and by its service, where a request may end up."""
    router = router_of(request, routes)
    if router is None:
        return {}
    found: dict[tuple[str, str], float] = {}
    for service, middlewares, share in leaves(
        router["service"], routes, tuple(router["middlewares"])
    ):
        named = [
            headers["customResponseHeaders"]["X-Slipway-Release"]
            for name in middlewares
            if (headers := routes["http"]["middlewares"][name].get("headers"))
        ]
        assert len(named) == 1, named
        found[named[0], service] = found.get((named[0], service), 0) + share
    return {key: round(share, 9) for key, share in found.items()}
