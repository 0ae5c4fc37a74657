"""A release's own figures, out of Traefik's metrics in Prometheus' text format.

`servers` says which replicas pass Traefik's health check, of services that have one. What comes to
a service's healthy replicas and what comes to any of them are counted as one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from ansible_collections.slipway.stack.plugins.module_utils.routes import (
    ANY_SUFFIX,
    HEALTHY_SUFFIX,
)

_LINE = re.compile(
    r"^traefik_service_(requests_total|request_duration_seconds_bucket|server_up)\{(.*)\} (\S+)"
)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PROVIDER = "@file"


@dataclass
class ServiceFigures:
    """What a service answered: how often, how often with 5xx, and how fast.

    `buckets` counts the answers that took at most so many seconds, all of them under infinity;
    WebSockets and event streams, which last as long as they like, are left out of it.
    """

    requests: int = 0
    errors: int = 0
    buckets: dict[float, int] = field(default_factory=dict)
    servers: dict[str, bool] = field(default_factory=dict)

    @property
    def error_percent(self) -> float:
        """The share of answers that were errors; 0 where there was none."""
        return 100 * self.errors / self.requests if self.requests else 0.0

    @property
    def timed(self) -> int:
        """How many answers the buckets hold."""
        return self.buckets.get(math.inf, 0)

    def quantile(self, share: float) -> float:
        """Return the seconds that an answer at this share of all took at least.

        That is the lower bound of its bucket: where in it the answer lies nobody knows, and a guess
        would call a release slow that is not. 0 where there is no answer.
        """
        lower = 0.0
        for bound, count in sorted(self.buckets.items()):
            if count >= share * self.timed:
                return lower
            lower = bound
        return lower


def read_metrics(text: str, prefix: str) -> dict[str, ServiceFigures]:
    """Return the figures of the services whose names begin so, by the rest of their names."""
    services: dict[str, ServiceFigures] = {}
    for line in text.splitlines():
        if prefix not in line or not (found := _LINE.match(line)):
            continue
        kind, text_of_labels, value = found.groups()
        labels = dict(_LABEL.findall(text_of_labels))
        service = labels.get("service", "")
        if not service.startswith(prefix) or not service.endswith(_PROVIDER):
            continue
        name = service[len(prefix) : -len(_PROVIDER)]
        name = name.removesuffix(HEALTHY_SUFFIX).removesuffix(ANY_SUFFIX)
        _add(services.setdefault(name, ServiceFigures()), kind, labels, float(value))
    return services


def _add(figures: ServiceFigures, kind: str, labels: dict[str, str], value: float) -> None:
    if kind == "server_up":
        figures.servers[labels["url"]] = value > 0
    elif kind == "requests_total":
        figures.requests += int(value)
        figures.errors += int(value) * labels["code"].startswith("5")
    elif labels["protocol"] == "http":
        bound = float(labels["le"])
        figures.buckets[bound] = figures.buckets.get(bound, 0) + int(value)


def minus(later: ServiceFigures, earlier: ServiceFigures) -> ServiceFigures:
    """Return what came between two readings; after a restart Traefik counts from 0 again."""
    if later.requests < earlier.requests:
        earlier = ServiceFigures()
    return ServiceFigures(
        requests=later.requests - earlier.requests,
        errors=max(later.errors - earlier.errors, 0),
        buckets={
            bound: max(count - earlier.buckets.get(bound, 0), 0)
            for bound, count in later.buckets.items()
        },
        servers=later.servers,
    )
