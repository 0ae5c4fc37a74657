"""The engine stops, the host reboots: the site does not need Ansible to go on."""

from __future__ import annotations

import time
from typing import Any

import requests
from bench.engine import docker
from bench.load import Load
from bench.visitor import Visitor

ENGINE_STOPPED_SECONDS = 10
BACK_SECONDS = 90


def test_engine_stopped_for_ten_seconds_loses_no_request(server: Any, visitor: Visitor) -> None:
    with Load(visitor, per_second=40) as load:
        server.run("systemctl", "stop", "docker.socket", "docker.service")
        # The outage itself is what is tested: nothing to wait for.
        time.sleep(ENGINE_STOPPED_SECONDS)
        server.run("systemctl", "start", "docker.socket", "docker.service")
    assert len(load.answered) > ENGINE_STOPPED_SECONDS * 30
    assert load.lost == [], load.summary()


def test_reboot_brings_everything_back_without_ansible(server: Any, visitor: Visitor) -> None:
    notes = visitor.notes()
    running = set(server.started())
    docker("restart", "--time", "10", server.name)
    bound = time.monotonic() + BACK_SECONDS
    while time.monotonic() < bound:
        try:
            if visitor.get("/").ok and visitor.notes() == notes:
                break
        except requests.RequestException:
            pass
        time.sleep(0.5)
    assert visitor.get("/").status_code == 200
    assert visitor.notes() == notes
    assert set(server.started()) == running
