"""The keeper, with a shell in the place of SSH: what it starts holds a real lock."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.action import hold
from ansible_collections.slipway.stack.plugins.module_utils import kernel_lock
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import Wanted, held_by, take
from ansible_collections.slipway.stack.plugins.plugin_utils import keeper
from ansible_collections.slipway.stack.plugins.plugin_utils.keeper import Order

PROGRAM = f"{shlex.quote(sys.executable)} -IS -c {shlex.quote(hold.LOADER)}"
# Asks for a password as sudo does, takes no byte more than that line, and runs the rest.
SUDO = (
    "printf '[sudo] password:' >&2; IFS= read -r given;"
    "[ \"$given\" = secret ] || { echo 'Sorry, try again.' >&2; exit 1; };"
    f"echo BECAME; {PROGRAM}"
)


def order(lock: Path, program: str = PROGRAM, *, wait: float = 0, **more: Any) -> Order:
    return Order(
        command=["/bin/sh", "-c", program],
        code=Path(kernel_lock.__file__).read_text(),
        request={
            "lock": str(lock),
            "host_directory": str(lock.parent),
            "holder": {"action": "provision", "who": "ada"},
            "wait": wait,
        },
        beat=more.pop("beat", 0.2),
        **more,
    )


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "run" / "host.lock"


@pytest.fixture
def playbook() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@contextmanager
def keeping(
    given: Order, playbook: subprocess.Popen[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """Start a keeper; yield it with its last answer once nobody needs to read it any more."""
    descriptor = os.pidfd_open(playbook.pid)
    process = subprocess.Popen(
        [sys.executable, "-IS", str(keeper.__file__), str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[descriptor],
    )
    os.close(descriptor)
    assert process.stdin
    assert process.stdout
    process.stdin.write(given.dump())
    process.stdin.close()
    try:
        # Reads to the end of the output: a keeper that held it open would stop the test here.
        *_, last = process.stdout.read().splitlines() or [b"{}"]
        yield process, json.loads(last)
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


def free(lock: Path, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        descriptor = take(Wanted(lock, alone=True))
        if descriptor is not None:
            os.close(descriptor)
            return True
        time.sleep(0.02)
    return False


def test_it_keeps_the_lock_until_the_playbook_is_killed(
    lock: Path, playbook: subprocess.Popen[bytes]
) -> None:
    with keeping(order(lock), playbook) as (process, answer):
        assert answer["state"] == "held"
        holder = held_by(lock)
        assert holder
        assert holder.who == "ada"
        time.sleep(0.5)  # a few signs of life
        assert not free(lock, 0.1)
        playbook.kill()
        assert free(lock)
        assert process.wait(timeout=5) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_is_free_when_the_keeper_ends(
    lock: Path, playbook: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    with keeping(order(lock), playbook) as (process, answer):
        assert answer["state"] == "held"
        process.send_signal(number)
        assert free(lock)


def test_the_keeper_ends_with_its_session(lock: Path, playbook: subprocess.Popen[bytes]) -> None:
    # A background job of the shell reads nothing unless it is told to.
    script = f"exec 3<&0; ({PROGRAM}) <&3 & exec 3<&-; sleep 1; kill -9 $!"
    with keeping(order(lock, script), playbook) as (process, answer):
        assert answer["state"] == "held"
        assert process.wait(timeout=10) == 1
        assert free(lock)


def test_a_lock_that_is_not_to_be_had(lock: Path, playbook: subprocess.Popen[bytes]) -> None:
    with keeping(order(lock), playbook), keeping(order(lock), playbook) as (process, answer):
        assert answer["state"] == "busy"
        assert "the provision by ada, under way since" in answer["text"]
        assert process.wait(timeout=5) == 0


def test_it_gives_the_password_that_is_asked_for(
    lock: Path, playbook: subprocess.Popen[bytes]
) -> None:
    become: dict[str, Any] = {"prompt": "[sudo] password:", "success": "BECAME"}
    with keeping(order(lock, SUDO, password="secret", **become), playbook) as (_, answer):
        assert answer["state"] == "held"
    with keeping(order(lock, SUDO, password="wrong", **become), playbook) as (process, answer):
        assert answer == {"state": "lost", "text": "Sorry, try again."}
        assert process.wait(timeout=5) == 1


def test_a_host_that_cannot_be_reached(lock: Path, playbook: subprocess.Popen[bytes]) -> None:
    broken = order(lock, "echo 'ssh: no route to host' >&2; exit 255")
    with keeping(broken, playbook) as (_, answer):
        assert answer == {"state": "lost", "text": "ssh: no route to host"}


def test_to_let_go_ends_a_keeper_and_nothing_else(
    lock: Path, playbook: subprocess.Popen[bytes]
) -> None:
    assert hold.let_go(0)
    with keeping(order(lock), playbook) as (process, _):
        assert hold.let_go(process.pid)
        assert free(lock, 0.1)
        assert not hold.let_go(process.pid)
    assert not hold.let_go(playbook.pid)
    assert playbook.poll() is None
