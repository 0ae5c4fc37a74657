"""The runner: a container on the bench's network with an engine of its own and act."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import builder, ca, engine, images
from bench.engine import client, docker
from bench.names import IMAGE_FOLDERS, PREFIX, ROOT
from bench.shell import BenchError, run, step, wait_until

NAME: Final = f"{PREFIX}-runner"
HOME: Final = "/srv/delivery"
RECEIVER_PORT: Final = 9980
RECEIVER: Final = f"http://127.0.0.1:{RECEIVER_PORT}"
UV_VERSION: Final = "UV_VERSION"  # the Makefile's pin
WORKFLOWS: Final = ROOT / ".github" / "workflows"
CALLED: Final = re.compile(r"uses: ([\w.-]+/[\w.-]+)/\.github/workflows/([\w-]+\.yml)@(\w+)")
STAND_INS: Final = ROOT / "molecule" / "shared" / "actions"
USES: Final = re.compile(r"uses: ((?:[\w.-]+/)[\w.-]+@[0-9a-f]{40})")


def ensure(made: Mapping[str, str]) -> None:
    """Leave with a runner whose engine and receiver answer."""
    if UV_VERSION not in os.environ:
        raise BenchError(f"{UV_VERSION} is not set: run `make pipeline`, which knows it")
    arguments = {
        "BASE": made["builder"],
        UV_VERSION: os.environ[UV_VERSION],
        "COREPACK_VERSION": images.NODE["COREPACK_VERSION"],
    }
    folder = IMAGE_FOLDERS / "runner"
    given = [f"{key}={value}".encode() for key, value in arguments.items()]
    image = f"{PREFIX}/runner:{images.digest(*given, *images.folder_parts(folder))}"
    if not engine.exists("image", image):
        with step("Build image runner"):
            images.build(folder, image, arguments, log="image-runner")
    builder.ensure(image, mirror=images.source() == "built", name=NAME)
    execute("mkdir", "-p", HOME)
    copy({"act": Path(sys.executable).with_name("act").read_bytes()}, "/usr/local/bin", mode=0o755)
    copy({"bench.crt": ca.AUTHORITY.read_bytes()}, "/usr/local/share/ca-certificates")
    execute("update-ca-certificates")
    receive()


def receive() -> None:
    """Begin to receive notices, none so far; one that runs already goes on."""
    execute("sh", "-c", f": > {HOME}/posted.jsonl")
    tell_runs([])
    program = Path(__file__).with_name("receiver.py").read_bytes()
    copy({"receiver.py": program}, HOME)
    ask = f"import urllib.request as u; u.urlopen('{RECEIVER}/', timeout=2)"
    probe = [client(), "exec", NAME, "python3", "-c", ask]
    if not run_well(probe):
        docker("exec", "--detach", NAME, "python3", f"{HOME}/receiver.py", str(RECEIVER_PORT), HOME)
    wait_until("The receiver answers", probe, seconds=20)


def run_well(command: Sequence[str]) -> bool:
    """Say whether a command ends well."""
    try:
        run(command)
    except BenchError:
        return False
    return True


def execute(
    *words: str,
    environment: Mapping[str, str] | None = None,
    folder: str = "/",
    log: str = "runner",
) -> str:
    """Run a command on the runner and return what it says; values never show in arguments."""
    names = [f"--env={name}" for name in environment or {}]
    command = [client(), "exec", *names, f"--workdir={folder}", NAME, *words]
    return run(command, environment=environment, log=log)


def copy(files: Mapping[str, bytes], folder: str, mode: int = 0o644) -> None:
    """Put files into a folder of the runner."""
    docker("cp", "-", f"{NAME}:{folder}", data=builder.archive(dict(files)))
    for name in files:
        execute("chmod", f"{mode:o}", f"{folder}/{name}")


def tell_runs(runs: Sequence[tuple[int, str]]) -> None:
    """Have GitHub's stand-in say how the runs before ended."""
    said = [{"run_number": number, "conclusion": conclusion} for number, conclusion in runs]
    copy({"runs.json": json.dumps({"workflow_runs": said}).encode()}, HOME)


def replacements(slipway: str, caller: str) -> list[str]:
    """Return act's options that put what lies on the runner in the place of what is on GitHub.

    The called workflow is the shipped one; actions have stand-ins, but for the attestation, which
    only GitHub can do and which does not run here.
    """
    called = CALLED.search(caller)
    if not called:
        raise BenchError("The caller calls no workflow of Slipway's")
    repository, workflow, commit = called.groups()
    found = []
    for uses in sorted(set(USES.findall((WORKFLOWS / workflow).read_text()))):
        name = uses.partition("@")[0].partition("/")[2]
        if (STAND_INS / name).is_dir():
            found.append(f"--local-repository={uses}={slipway}/molecule/shared/actions/{name}")
    return [*found, f"--local-repository={repository}@{commit}={slipway}"]
