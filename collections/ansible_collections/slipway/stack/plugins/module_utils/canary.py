"""The routes of a canary: two releases serve, and one draw decides which of them a visitor sees.

A visitor without our cookie is drawn into a *bucket*, once for the whole canary. The canary's steps
bound the buckets: [5, 25] gives buckets of 5, 20 and 75 percent. Those up to the present step see
the new release, so that the next step moves one bucket from old to new and nobody back.

Traefik's sticky cookie keeps the bucket: its value is a hash of the drawn service's name. Page and
API are services of their own, with draws of their own that know their own cookies only. So routers
above all draws send every cookie to its release, whichever draw it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.middlewares import (
    RELEASE_HEADER,
    is_page,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    PROBE_PRIORITY,
    PROBE_SUFFIX,
    renamed,
)

EVERYBODY = 100
# Longer than any canary, or a visitor might be drawn twice. Afterwards the cookie means nothing.
COOKIE_SECONDS = 86_400
# Above what one release alone answers come the draws, and above these those who are drawn.
DRAW_PRIORITY = 100_000
DRAWN_PRIORITY = 200_000
OLD, NEW = "old", "new"

Router = dict[str, Any]
Routers = dict[str, Router]
# What a draw chooses from: a name to the side that it leads to and its weight.
Parts = dict[str, tuple[str, int]]

HALVES: Parts = {OLD: (OLD, 1), NEW: (NEW, 1)}


@dataclass(frozen=True)
class Draws:
    """The draws of one kind of request: by buckets and a cookie for visitors, else by halves.

    `sides` are the routers of both releases; `step` keeps the names of two steps apart, or
    Traefik's API would show one like the other.
    """

    prefix: str
    step: str
    sides: dict[str, Routers]
    parts: Parts
    cookie: str = ""

    @cached_property
    def _common(self) -> set[str]:
        """The rules that both releases have."""
        old, new = ({router["rule"] for router in self.sides[side].values()} for side in (OLD, NEW))
        return old & new

    @cached_property
    def _pairs(self) -> list[tuple[Router, Router]]:
        """Every pair of an old and a new router that may be the best ones for a request.

        For a request that fits rules of both releases, the best common rule is the same in both.
        """
        return [
            (old, new)
            for old in self.sides[OLD].values()
            for new in self.sides[NEW].values()
            if old["rule"] == new["rule"] or not {old["rule"], new["rule"]} <= self._common
        ]

    @cached_property
    def _names(self) -> dict[str, str]:
        """A draw for each pair of ways. No service of the stack has a name with a dot."""
        pairs = dict.fromkeys(_ways(old, new) for old, new in self._pairs)
        return {pair: f"{self.prefix}.{number}" for number, pair in enumerate(pairs)}

    def routers(self) -> Routers:
        """Lead whom both releases can answer to a draw, and everybody else to the one that can.

        Of the pairs that a request fits, that of the best routers has the highest sum.
        """
        alone = {
            f"{name}.{side}-alone": router
            for side, routers in self.sides.items()
            for name, router in routers.items()
            if router["rule"] not in self._common
        }
        return alone | {
            f"{self.prefix}.router-{number}": {
                **new,
                "rule": _both(old["rule"], new["rule"]),
                "priority": DRAW_PRIORITY + old["priority"] + new["priority"] % PROBE_PRIORITY,
                "service": f"{self._names[_ways(old, new)]}.{self.step}",
                "middlewares": [one for one in old["middlewares"] if is_page(one)],
            }
            for number, (old, new) in enumerate(self._pairs)
        }

    def services(self) -> dict[str, Any]:
        """Return the draws and what they choose from, each with its release's middlewares.

        But for the page, which stands before the draw: within it, an application's own cookies
        would take the draw's away. Traefik's `errors` replaces headers, it adds none.
        """
        found: dict[str, Any] = {}
        for old, new in self._pairs:
            draw = self._names[_ways(old, new)]
            found[f"{draw}.{self.step}"] = {"weighted": self._weighted(draw)}
            for part, (side, _) in self.parts.items():
                router = old if side == OLD else new
                found[f"{draw}.{part}"] = {
                    "weighted": {"services": [{"name": router["service"], "weight": 1}]},
                    "middlewares": [one for one in router["middlewares"] if not is_page(one)],
                }
        return found

    def _weighted(self, draw: str) -> dict[str, Any]:
        services = [
            {"name": f"{draw}.{part}", "weight": weight} for part, (_, weight) in self.parts.items()
        ]
        if not self.cookie:
            return {"services": services}
        return {
            "services": services,
            "sticky": {
                "cookie": {
                    "name": self.cookie,
                    "secure": True,
                    "httpOnly": True,
                    "sameSite": "lax",
                    "maxAge": COOKIE_SECONDS,
                }
            },
        }

    def drawn(self, side: str) -> Routers:
        """Return a release's own routers for those whom any draw has sent there."""
        values = [
            cookie_value(f"{draw}.{part}")
            for draw in self._names.values()
            for part, (leads_to, _) in self.parts.items()
            if leads_to == side
        ]
        if not values:
            return {}
        asked = f"HeaderRegexp(`Cookie`, `(^|[; ]){self.cookie}=({'|'.join(values)})(;|$)`)"
        return self.chosen(side, asked)

    def chosen(self, side: str, matcher: str) -> Routers:
        """Return a release's own routers for the requests that fit a matcher too."""
        return {
            f"{name}.{side}": {
                **router,
                "rule": f"({router['rule']}) && {matcher}",
                "priority": DRAWN_PRIORITY + router["priority"],
            }
            for name, router in self.sides[side].items()
        }


def canary_routes(
    stack: str,
    old: dict[str, Any],
    new: dict[str, Any],
    *,
    old_id: str,
    new_id: str,
    percent: int,
    steps: list[int],
) -> dict[str, Any]:
    """Merge the public routes of two releases so that `percent` of the visitors see the new one.

    `steps` are the percents of the whole canary, the same in each of its steps. The prober has no
    cookie: it is drawn with each request, and one to one, so that the canary of a quiet site is
    judged too; its header X-Slipway-Release chooses a release. What only one of the two releases
    answers, it answers to everybody.
    """
    ids = {OLD: old_id, NEW: new_id}
    sides = {
        side: renamed(routes, f".{ids[side]}", kinds=("middlewares", "serversTransports"))["http"]
        for side, routes in ((OLD, old), (NEW, new))
    }
    step = f"at-{percent}"
    visitors, prober = (
        {side: _routers(http, probe=probe) for side, http in sides.items()}
        for probe in (False, True)
    )
    prefix = f"{stack}-{new_id}-"
    draws = Draws(f"{prefix}draw", step, visitors, buckets(percent, steps), f"slipway-{stack}")
    probes = Draws(f"{prefix}probe", step, prober, HALVES)
    routers = draws.routers() | probes.routers()
    for side in (OLD, NEW):
        routers |= draws.drawn(side)
        routers |= probes.chosen(side, f"Header(`{RELEASE_HEADER}`, `{ids[side]}`)")
    services = sides[OLD]["services"] | sides[NEW]["services"]
    return {
        "http": {
            "routers": routers,
            "services": services | draws.services() | probes.services(),
            **{
                kind: sides[OLD][kind] | sides[NEW][kind]
                for kind in ("middlewares", "serversTransports")
            },
        }
    }


def buckets(percent: int, steps: list[int]) -> Parts:
    """Return the buckets by their upper bounds, each with the side that it sees and its size."""
    bounds = sorted({*steps, percent, EVERYBODY})
    return {
        str(bound): (NEW if bound <= percent else OLD, bound - before)
        for before, bound in zip([0, *bounds], bounds, strict=False)
    }


def cookie_value(service: str) -> str:
    """Return the value that Traefik 3.7 gives a sticky cookie of a weighted service's child."""
    return hashlib.sha256(service.encode()).hexdigest()[:16]


def _routers(http: dict[str, Any], *, probe: bool) -> Routers:
    """Return the routers of visitors, or those of the prober."""
    return {
        name: router
        for name, router in http["routers"].items()
        if name.endswith(PROBE_SUFFIX) == probe
    }


def _both(old: str, new: str) -> str:
    """Return the rule of what fits two rules."""
    return new if old == new else f"({old}) && ({new})"


def _ways(old: Router, new: Router) -> str:
    """Tell apart what a draw chooses between: the services, and what stands before them."""
    return repr([(one["service"], one["middlewares"]) for one in (old, new)])
