"""The host restarts: the active slot comes back, and only it."""

from __future__ import annotations

import time

import requests
from bench.edge import SHORT, Edge
from bench.engine import docker

BACK_SECONDS = 90


def test_reboot_brings_back_the_active_slot_alone(edge: Edge) -> None:
    if edge.active == "a":
        assert edge.change(**SHORT, traefik_log_level="ERROR").ok
    before = set(edge.slots())
    assert before == {"b"}
    docker("restart", "--time", "10", edge.site.container)
    bound = time.monotonic() + BACK_SECONDS
    while time.monotonic() < bound:
        try:
            if edge.site.visitor().get("/version").ok:
                break
        except requests.RequestException:
            pass
        time.sleep(0.5)
    assert edge.site.visitor().get("/").status_code == 200
    assert edge.active == edge.recorded == "b"
    assert set(edge.slots()) == before


def test_door_is_there_before_the_network(edge: Edge) -> None:
    blame = edge.site.run(
        "systemctl", "show", "--property=Before", "--value", "slipway-door.service"
    )
    assert {"docker.service", "network-pre.target"} <= set(blame.split())
