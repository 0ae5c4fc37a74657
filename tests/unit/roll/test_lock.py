"""The locks, held by real processes: what the kernel does is what counts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils import kernel_lock, lock
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    Holder,
    held_by,
    holding,
    holding_host,
    older_run_refusal,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)

RELEASE = "20261122-183000-b81d02aa"
RUN = "https://ci.example.com/runs/42"
COLLECTIONS = Path(__file__).parents[3] / "collections"
DEPLOY = """
import sys, time
from pathlib import Path
from ansible_collections.slipway.stack.plugins.module_utils import lock
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.release import StackDirectory
host, stack, lock.HOST_LOCK, wait = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
with lock.holding(
    StackDirectory(host, stack),
    lock.Holder("deploy", "20261122-183000-b81d02aa", "ada", "https://ci.example.com/runs/42"),
    wait=float(wait), clock=Clock(), progress=print,
):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for stack in ("shop", "staging"):
        StackDirectory(tmp_path, stack).root.mkdir(parents=True)
    return tmp_path


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


@contextmanager
def deploy(
    host: Path, stack: str, host_lock: Path, wait: float = 0
) -> Iterator[subprocess.Popen[str]]:
    with running("-c", DEPLOY, host, stack, host_lock, str(wait)) as process:
        yield process


@contextmanager
def provision(host: Path, host_lock: Path, wait: float = 0) -> Iterator[subprocess.Popen[str]]:
    """Run the program that holds the host, as the controller sends it there."""
    with running(str(Path(kernel_lock.__file__))) as process:
        request = {
            "lock": str(host_lock),
            "host_directory": str(host),
            "holder": {"action": "provision", "who": "grace", "run": "43"},
            "wait": wait,
        }
        assert process.stdin
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        yield process


@contextmanager
def shell_holding(path: Path) -> Iterator[None]:
    """Hold a lock as a person does who wants quiet on the host."""
    shell = subprocess.Popen(
        ["flock", path, "-c", "echo held; read -r _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert shell.stdout
        assert shell.stdout.readline() == b"held\n"
        yield
    finally:
        shell.communicate(b"\n")


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def state(process: subprocess.Popen[str]) -> str:
    return str(json.loads(line(process))["state"])


def attempt(
    host: Path,
    stack: str = "shop",
    *,
    wait: float = 0,
    clock: Clock | None = None,
    progress: Callable[[str], None] = print,
) -> None:
    """Take the lock here and let it go at once; ReleaseError when somebody has it."""
    with holding(
        StackDirectory(host, stack),
        Holder("deploy"),
        wait=wait,
        clock=clock or Clock(),
        progress=progress,
    ):
        pass


def test_two_deploys_of_a_stack_exclude_each_other(host: Path, host_lock: Path) -> None:
    with deploy(host, "shop", host_lock) as first:
        assert line(first) == "held"
        with pytest.raises(ReleaseError) as caught:
            attempt(host)
    message = str(caught.value)
    assert f"the deploy of the stack 'shop' to {RELEASE} by ada (CI run {RUN})" in message
    assert "under way since 20" in message
    assert " s) holds" in message
    assert str(host / "stacks/shop/lock") in message


def test_a_killed_holder_frees_the_lock_and_its_record_is_not_believed(
    host: Path, host_lock: Path
) -> None:
    path = StackDirectory(host, "shop").lock
    with deploy(host, "shop", host_lock) as first:
        assert line(first) == "held"
        holder = held_by(path)
        assert holder
        assert (holder.action, holder.release, holder.who) == ("deploy", RELEASE, "ada")
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert kernel_lock.record_of(path).exists()
        assert held_by(path) is None
        attempt(host)
    assert not kernel_lock.record_of(path).exists()


def test_two_stacks_proceed_beside_each_other(host: Path, host_lock: Path) -> None:
    with deploy(host, "shop", host_lock) as first, deploy(host, "staging", host_lock) as second:
        assert line(first) == "held"
        assert line(second) == "held"


def test_provision_excludes_all_deploys_and_lets_go_with_its_line(
    host: Path, host_lock: Path
) -> None:
    with provision(host, host_lock) as process:
        assert state(process) == "held"
        for stack in ("shop", "staging"):
            with pytest.raises(ReleaseError, match=r"the provision by grace \(CI run 43\), under"):
                attempt(host, stack)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=5) == 0
        attempt(host)
        assert held_by(host_lock) is None


def test_a_deploy_excludes_provision_which_names_it(host: Path, host_lock: Path) -> None:
    with deploy(host, "shop", host_lock) as first, deploy(host, "staging", host_lock) as second:
        assert line(first) == "held"
        assert line(second) == "held"
        with provision(host, host_lock) as process:
            answer = json.loads(line(process))
            assert answer["state"] == "busy"
            assert "deploy of the stack 'shop'" in answer["text"]
            assert "deploy of the stack 'staging'" in answer["text"]


def test_two_provisions_exclude_each_other(host: Path, host_lock: Path) -> None:
    with provision(host, host_lock) as first:
        assert state(first) == "held"
        with provision(host, host_lock, wait=20) as second:
            assert state(second) == "waiting"
            first.kill()
            assert state(second) == "held"


def test_a_waiting_provision_ends_with_its_line(host: Path, host_lock: Path) -> None:
    with deploy(host, "shop", host_lock) as first:
        assert line(first) == "held"
        with provision(host, host_lock, wait=60) as process:
            assert state(process) == "waiting"
            assert process.stdin
            process.stdin.close()
            assert process.wait(timeout=5) == 0


def test_the_program_ends_when_nobody_reads_it(host: Path, host_lock: Path) -> None:
    with provision(host, host_lock) as process:
        assert state(process) == "held"
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=5) == 0


def test_the_program_ends_when_the_line_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import kernel_lock\n"
        "try: kernel_lock.Line(silence=0.2).pause(60)\n"
        "except kernel_lock.LineCutError: sys.exit(3)"
    )
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(Path(kernel_lock.__file__).parent)], stdin=reading
    )
    assert process.wait(timeout=10) == 3
    assert time.monotonic() - began < 10
    os.close(reading)
    os.close(writing)


def test_who_waits_is_told_once_and_gets_the_lock_when_it_is_free(
    host: Path, host_lock: Path
) -> None:
    told: list[str] = []
    with deploy(host, "shop", host_lock) as first:
        assert line(first) == "held"
        pauses = 0

        def pause(seconds: float) -> None:
            nonlocal pauses
            pauses += 1
            if pauses == 8:
                first.kill()
                first.wait()

        attempt(host, wait=300, clock=Clock(pause=pause), progress=told.append)
    assert pauses == 8
    assert len(told) == 1
    assert told[0].startswith("Waiting up to 300 s: the deploy of the stack 'shop' to")


def test_waiting_is_bounded(host: Path, host_lock: Path) -> None:
    passed = 0.0

    def pause(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    with deploy(host, "shop", host_lock) as first:
        assert line(first) == "held"
        with pytest.raises(ReleaseError, match=r"Waited 30 s \(stack_lock_wait\)"):
            attempt(host, wait=30, clock=Clock(now=lambda: passed, pause=pause))
    assert 30 <= passed < 31


def test_who_waits_for_one_lock_holds_no_other(host: Path, host_lock: Path) -> None:
    """A deploy that waits for its stack must not keep provisioning from the host."""
    with (
        shell_holding(StackDirectory(host, "shop").lock),
        deploy(host, "shop", host_lock, wait=60) as process,
    ):
        assert line(process).startswith("Waiting up to 60 s: a process that left no record")
        with provision(host, host_lock, wait=5) as other:
            assert state(other) == "held"


def test_a_shell_can_hold_a_stack_and_is_found_without_a_record(
    host: Path, host_lock: Path
) -> None:
    with (
        shell_holding(StackDirectory(host, "shop").lock),
        pytest.raises(ReleaseError, match="left no record"),
    ):
        attempt(host)
    attempt(host)


def test_no_started_program_inherits_the_lock(host: Path, host_lock: Path) -> None:
    with holding(
        StackDirectory(host, "shop"), Holder("deploy"), wait=0, clock=Clock(), progress=print
    ):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        attempt(host)
    finally:
        child.kill()
        child.wait()


def test_a_removed_lock_file_keeps_nobody_in_or_out(host: Path, host_lock: Path) -> None:
    directory = StackDirectory(host, "shop")
    with holding(directory, Holder("deploy"), wait=0, clock=Clock(), progress=print):
        directory.lock.unlink()
        attempt(host)
    attempt(host)


def test_a_host_that_is_not_provisioned_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"not provisioned for the stack 'shop'"):
        attempt(tmp_path)


def test_a_deploy_whose_stack_is_removed_while_it_waits_is_told_so(host: Path) -> None:
    directory = StackDirectory(host, "shop")

    def removed(_: str) -> None:
        shutil.rmtree(directory.root)
        removal.close()

    with ExitStack() as removal:
        stacks = host / "stacks"
        removal.enter_context(
            holding_host(stacks, Holder("removal"), wait=0, clock=Clock(), progress=print)
        )
        with (
            pytest.raises(ReleaseError, match="was removed while this waited"),
            holding(directory, Holder("deploy"), wait=60, clock=Clock(), progress=removed),
        ):
            pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}'])
def test_a_broken_record_is_no_record(host: Path, text: str) -> None:
    path = StackDirectory(host, "shop").lock
    kernel_lock.record_of(path).write_text(text)
    assert held_by(path) is None


def serving(**actor: object) -> Manifest:
    return Manifest(RELEASE, "shop", "1.4.1", "f", 1, {}, {}, [], "", actor=dict(actor))


@pytest.mark.parametrize(
    ("release", "run", "allow"),
    [
        (None, 1, False),
        (serving(), 1, False),
        (serving(run_number=0), 1, False),
        (serving(run_number=7), 0, False),
        (serving(run_number=7), 7, False),
        (serving(run_number=7), 8, False),
        (serving(run_number=7), 6, True),
    ],
)
def test_a_newer_or_unknown_run_may_deploy(
    release: Manifest | None, run: int, *, allow: bool
) -> None:
    assert older_run_refusal(release, run, allow=allow) == ""


def test_an_older_run_never_overtakes() -> None:
    message = older_run_refusal(serving(run_number=7, run_url=RUN), 6, allow=False)
    assert "run 7 (https://ci.example.com/runs/42)" in message
    assert "run 6, an older one" in message
    assert "stack_allow_older_run" in message


def test_the_machines_own_lock_is_below_run() -> None:
    assert lock.HOST_LOCK.name == "host.lock"


def test_provisioning_waits_as_long_as_a_deploy_does() -> None:
    root = COLLECTIONS.parent
    defaults = yaml.safe_load((root / "roles/stack/defaults/main.yml").read_text())
    plays = yaml.safe_load((root / "playbooks/provision.yml").read_text())
    task = plays[-1]["pre_tasks"][0]
    assert task["slipway.stack.hold"]["wait"] == (
        f"{{{{ stack_lock_wait | default({defaults['stack_lock_wait']}) }}}}"
    )
