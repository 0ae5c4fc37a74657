"""Whoever changes Traefik is killed: the site serves on, and the next run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.edge import JOBS, SHORT, Edge, killed_at, visited
from bench.names import ROOT
from bench.playbooks import settings

RATE = 30
OTHER = SHORT | {"traefik_log_level": "WARN"}
ENDS_SECONDS = 60
PHASES = ["start", "compare", "flip", "drain", "stop"]


@pytest.fixture(autouse=True)
def short(edge: Edge) -> None:
    """Begin with connections that end soon."""
    run = edge.change(**SHORT)
    assert run.ok, run.output


def assert_converged(edge: Edge, **variables: Any) -> None:
    """One run finishes, the next has nothing to do, and one slot is left."""
    run = edge.change(**variables)
    assert run.ok, run.output
    assert edge.active == edge.recorded
    assert list(edge.slots()) == [edge.active]
    again = edge.change(**variables)
    assert again.changed == 0, again.output


@pytest.mark.parametrize("phase", PHASES)
def test_killed_process_leaves_a_site_that_serves_and_a_run_that_finishes(
    edge: Edge, tmp_path: Path, phase: str
) -> None:
    with visited(tmp_path, rate=RATE) as load:
        with killed_at(edge, phase):
            run = edge.change(**OTHER)
        assert not run.ok, run.output
        assert "ended before its time" in run.output
        assert_converged(edge, **OTHER)
    assert load.lost == []


def test_flip_outlives_a_controller_that_is_killed_and_a_deploy_waits_for_it(
    edge: Edge, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    known = set(edge.jobs())
    with visited(tmp_path, rate=RATE) as load:
        controller = subprocess.Popen(
            edge.site.environment.command("playbooks/provision.yml", **OTHER),
            cwd=ROOT,
            env=settings(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        bound = time.monotonic() + 2 * ENDS_SECONDS
        while not (new := sorted(set(edge.jobs()) - known)) or (
            edge.progress(new[-1]).at("pull", "begin") is None
        ):
            assert time.monotonic() < bound
            time.sleep(0.05)
        os.kill(controller.pid, signal.SIGKILL)
        controller.wait()
        another = {"GUNICORN_CMD_ARGS": "--threads=16", "BENCH_ROUND": str(time.time_ns())}
        deploy = edge.site.deploy(stack_soak_seconds=0, stack_environment=another)
        assert deploy.ok, deploy.output
        assert "the change of Traefik" in deploy.output
        assert edge.site.run("cat", f"{JOBS}/{new[-1]}/result.json")
        tell(f"the deploy waited for {new[-1]}")
        assert_converged(edge, **OTHER)
    assert load.lost == []
