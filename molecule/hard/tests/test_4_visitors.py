"""Visitors on both families, and by HTTP/3: who they seem to be, and flips under them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.edge import Edge, visited
from bench.http3 import asked, talking
from bench.neighbour import Neighbour
from bench.playbooks import Run
from bench.site import Site
from bench.visitor import Visitor

FAMILIES = (4, 6)
SEEN = "/api/bench/seen"
RATE = 20
REQUESTS = 500
# Of the client, so that it meets what the door remembers of its first connection.
LOCAL_PORT = 46443
HTTP_3 = {"traefik_http3": True}


@pytest.fixture(scope="module")
def edge(site: Site) -> Edge:
    """Return Traefik as the tests change it."""
    return Edge(site)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return how to print a figure for whoever runs the tests."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return say


def visitor_of(site: Site, host: str) -> Visitor:
    """Return a visitor of one of the host's own addresses."""
    return Visitor(site.domain, 443, f"[{host}]" if ":" in host else host)


def own_address(host: str) -> str:
    """Return the address by which this machine comes to the host."""
    with socket.create_connection((host, 443), 5) as line:
        return str(line.getsockname()[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_application_sees_a_visitor_s_own_address(
    family: int, site: Site, neighbour: Neighbour
) -> None:
    host = neighbour.host[family]
    assert visitor_of(site, host).get(SEEN).json()["address"] == own_address(host)


def test_flip_under_load_loses_nobody_on_ipv6(
    edge: Edge, neighbour: Neighbour, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    before = edge.active
    with visited(tmp_path, rate=RATE, address=neighbour.host[6]) as load:
        run = edge.change(**HTTP_3)
    assert run.ok, run.output
    tell(edge.report())
    tell(f"{len(load.records)} requests on IPv6, {len(load.lost)} lost")
    assert edge.led("ip6") == edge.active == edge.recorded != before
    assert load.lost == []
    assert len(load.records) >= REQUESTS


@pytest.mark.parametrize("family", FAMILIES)
def test_http_3_answers_and_is_offered_in_other_answers(
    family: int, site: Site, neighbour: Neighbour
) -> None:
    host = neighbour.host[family]
    answer = asked(host, site.domain, SEEN)
    assert answer.status == 200
    assert json.loads(answer.body)["address"] == own_address(host)
    assert 'h3=":443"' in visitor_of(site, host).get("/version").headers["Alt-Svc"]


def test_connection_of_http_3_goes_on_through_a_flip_and_the_next_one_meets_the_new_slot(
    edge: Edge, site: Site, neighbour: Neighbour, tell: Callable[[str], None]
) -> None:
    before, told = edge.active, {"answers": 0, "after": 0}

    async def stay(provisioning: asyncio.Task[Run]) -> None:
        async with talking(neighbour.host[6], site.domain, local_port=LOCAL_PORT) as line:
            while told["after"] < 5 and not provisioning.done():
                assert (await line.get("/version")).status == 200
                told["answers"] += 1
                told["after"] += await asyncio.to_thread(lambda: edge.led("ip6")) != before
                await asyncio.sleep(0.5)
            assert not line.ended

    async def flip() -> Run:
        change: dict[str, Any] = {**HTTP_3, "traefik_log_level": "WARN"}
        provisioning = asyncio.create_task(asyncio.to_thread(edge.change, **change))
        await stay(provisioning)
        return await provisioning

    async def again() -> int:
        async with talking(neighbour.host[6], site.domain, local_port=LOCAL_PORT) as line:
            return (await line.get("/version")).status

    run = asyncio.run(flip())
    assert run.ok, run.output
    tell(edge.report())
    tell(f"{told['answers']} answers on one connection, {told['after']} of them after the flip")
    assert told["after"] == 5
    assert list(edge.slots()) == [edge.active] != [before]
    assert asyncio.run(again()) == 200
