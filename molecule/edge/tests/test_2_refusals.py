"""What does not come up, or would not serve the same, never gets a visitor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.edge import IMAGES, Edge, visited

RATE = 30
BROKEN_FILE = "/srv/slipway/traefik/dynamic/broken.yml"
NOTICED_SECONDS = 5
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no such version": (
        {"traefik_image": "registry.slipway.test:5000/traefik/traefik:9.9.9"},
        "'docker pull",
    ),
    "an image that is no Traefik": (
        {"traefik_image": "registry.slipway.test:5000/example/frontend:edge"},
        "Traefik ended in slot",
    ),
    "an option that Traefik does not know": (
        {"traefik_options": {"entryPoints": {"web": {"adress": ":80"}}}},
        "field not found, node: adress",
    ),
    "an entry point that nobody can listen on": (
        {"traefik_options": {"entryPoints": {"web": {"address": "192.0.2.1:80"}}}},
        "Traefik ended in slot",
    ),
    "an entry point that the door does not lead to": (
        {"traefik_options": {"entryPoints": {"websecure": {"address": ":444"}}}},
        "it shows another certificate",
    ),
    "a configuration without the routes": (
        {"traefik_options": {"providers": {"file": {"directory": "/etc/traefik/none"}}}},
        "does not serve what it should",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_broken_version_or_configuration_is_refused_and_costs_nobody_anything(
    edge: Edge, tmp_path: Path, case: str
) -> None:
    variables, reason = BAD[case]
    before, active = edge.slots(), edge.active
    with visited(tmp_path, rate=RATE) as load:
        run = edge.change(**variables)
    assert not run.ok, run.output
    assert reason in run.output
    assert f"Slot {active} serves as before" in run.output
    assert edge.slots() == before
    assert edge.active == edge.recorded == active
    assert load.lost == []
    assert len(load.records) > RATE


@pytest.fixture
def broken_file(edge: Edge) -> Iterator[None]:
    """Put a dynamic file there that does not parse."""
    edge.site.run("sh", "-c", f"echo 'http: [' > {BROKEN_FILE}")
    yield
    edge.site.run("rm", "--force", BROKEN_FILE)


@pytest.mark.usefixtures("broken_file")
def test_last_good_routes_serve_on_beside_a_broken_dynamic_file_and_no_slot_starts_from_it(
    edge: Edge, tmp_path: Path
) -> None:
    before = edge.slots()
    with visited(tmp_path, rate=RATE) as load:
        time.sleep(NOTICED_SECONDS)  # Traefik has seen it by then
        run = edge.change(traefik_image=IMAGES["3.7.13"])
    assert not run.ok, run.output
    assert "does not serve what it should" in run.output
    assert edge.slots() == before
    assert load.lost == []
