"""Traefik's metrics: text as Traefik 3.7 writes it."""

from __future__ import annotations

import math

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.metrics import (
    ServiceFigures,
    minus,
    read_metrics,
)

PREFIX = "shop-20261122-183000-b81d02aa-"
TEXT = """\
# HELP traefik_service_request_duration_seconds How long it took to process the request.
# TYPE traefik_service_request_duration_seconds histogram
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="0.1"} 90
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="2.5"} 95
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="+Inf"} 96
traefik_service_request_duration_seconds_bucket{code="500",method="POST",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="0.1"} 4
traefik_service_request_duration_seconds_bucket{code="500",method="POST",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="2.5"} 4
traefik_service_request_duration_seconds_bucket{code="500",method="POST",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file",le="+Inf"} 4
traefik_service_request_duration_seconds_bucket{code="101",method="GET",protocol="websocket",service="shop-20261122-183000-b81d02aa-backend@file",le="0.1"} 0
traefik_service_request_duration_seconds_bucket{code="101",method="GET",protocol="websocket",service="shop-20261122-183000-b81d02aa-backend@file",le="2.5"} 0
traefik_service_request_duration_seconds_bucket{code="101",method="GET",protocol="websocket",service="shop-20261122-183000-b81d02aa-backend@file",le="+Inf"} 1
traefik_service_request_duration_seconds_sum{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file"} 3.25
traefik_service_request_duration_seconds_count{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file"} 96
# TYPE traefik_service_requests_total counter
traefik_service_requests_total{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file"} 96
traefik_service_requests_total{code="500",method="POST",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file"} 4
traefik_service_requests_total{code="101",method="GET",protocol="websocket",service="shop-20261122-183000-b81d02aa-backend@file"} 1
traefik_service_requests_total{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend-next@file"} 10
traefik_service_requests_total{code="502",method="GET",protocol="http",service="shop-20261122-101500-4f3a9c1e-backend@file"} 1.5e+06
traefik_service_requests_total{code="200",method="GET",protocol="http",service="old-shop-20261122-183000-b81d02aa-backend@file"} 7
traefik_service_requests_bytes_total{code="200",method="GET",protocol="http",service="shop-20261122-183000-b81d02aa-backend@file"} 9
# TYPE traefik_service_server_up gauge
traefik_service_server_up{service="shop-20261122-183000-b81d02aa-backend@file",url="http://10.213.4.32:8000"} 1
traefik_service_server_up{service="shop-20261122-183000-b81d02aa-backend@file",url="http://10.213.4.33:8000"} 0
"""  # noqa: E501 - Traefik's lines are as long as they are
HISTOGRAM = {0.1: 94, 2.5: 99, math.inf: 100}


def test_a_release_has_its_own_services_only() -> None:
    found = read_metrics(TEXT, PREFIX)
    assert set(found) == {"backend", "backend-next"}
    assert found["backend-next"] == ServiceFigures(requests=10)


def test_healthy_replicas_and_any_count_as_one_service_and_what_is_tried_does_not() -> None:
    def counted(name: str, count: int) -> str:
        return (
            f'traefik_service_requests_total{{code="200",service="{PREFIX}{name}@file"}} {count}\n'
        )

    text = counted("backend_healthy", 7) + counted("backend_any", 2)
    found = read_metrics(text + counted("backend_healthy.next", 100), PREFIX)
    assert found["backend"] == ServiceFigures(requests=9)


def test_figures_are_summed_over_codes_and_methods() -> None:
    backend = read_metrics(TEXT, PREFIX)["backend"]
    assert (backend.requests, backend.errors) == (101, 4)
    assert backend.buckets == HISTOGRAM
    assert backend.timed == 100
    assert backend.servers == {"http://10.213.4.32:8000": True, "http://10.213.4.33:8000": False}


def test_large_counts_are_written_with_an_exponent() -> None:
    old = read_metrics(TEXT, "shop-20261122-101500-4f3a9c1e-")["backend"]
    assert old.requests == old.errors == 1_500_000
    assert old.error_percent == 100


def test_nothing_served_has_no_errors() -> None:
    assert read_metrics("", PREFIX) == {}
    assert ServiceFigures().error_percent == 0
    assert ServiceFigures().quantile(0.95) == 0


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0), (0.94, 0), (0.95, 0.1), (1, 2.5)])
def test_a_quantile_is_what_is_certain(share: float, seconds: float) -> None:
    assert ServiceFigures(buckets=HISTOGRAM).quantile(share) == seconds


def test_two_readings_differ_by_what_came_between() -> None:
    earlier = ServiceFigures(requests=90, errors=1, buckets={0.1: 80, 2.5: 90, math.inf: 90})
    later = ServiceFigures(requests=101, errors=4, buckets=HISTOGRAM, servers={"a": True})
    assert minus(later, earlier) == ServiceFigures(
        requests=11, errors=3, buckets={0.1: 14, 2.5: 9, math.inf: 10}, servers={"a": True}
    )


def test_a_restarted_traefik_counts_from_nothing() -> None:
    later = ServiceFigures(requests=5, errors=5, buckets={math.inf: 5})
    assert minus(later, ServiceFigures(requests=90, errors=1, buckets={math.inf: 90})) == later
