"""How long deploys take, beside the bare Docker commands that do the same.

Runs against the demo's server. A deploy and the bare commands roll between the same two releases,
whose images are on the server already, in the same run: what the network does is left out, and what
Ansible adds is what is left.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bench import demo
from bench.names import PRIVATE_KEY, STATE
from bench.playbooks import Environment

STACK: Final = "/srv/slipway/stacks/demo"
ROUTES: Final = "/srv/slipway/traefik/dynamic/demo.yml"
VERSIONS: Final = ("1", "2")
ROUNDS: Final = 3
PORT: Final = "2222"
# A bare server has no curl.
PROBE: Final = """
import sys, time, urllib.request
headers = {"Host": sys.argv[2], "X-Forwarded-Proto": "https"}
bound = time.monotonic() + 60
while True:
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers), timeout=3)
        break
    except OSError:
        if time.monotonic() > bound:
            raise
        time.sleep(0.1)
"""
SSH: Final = [
    *(
        "ssh",
        "-p",
        PORT,
        "-i",
        str(PRIVATE_KEY),
        "-o",
        f"UserKnownHostsFile={STATE}/known_hosts.{PORT}",
    ),
    *("-o", "ControlMaster=auto", "-o", "ControlPersist=60s"),
    *("-o", f"ControlPath={STATE}/%C"),
    "deploy@127.0.0.1",
]


def on_server(command: str, program: str | None = None) -> str:
    """Run a command as root on the demo's server, over SSH as an operator would."""
    done = subprocess.run(
        [*SSH, f"sudo {command}"], input=program, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def seconds(work: Callable[[], object]) -> float:
    """Return how long a work takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def deploy(version: str) -> None:
    """Deploy a version by the shipped playbook."""
    run = Environment((demo.INVENTORY,)).playbook("deploy.yml", stack_version=version)
    if not run.ok:
        raise SystemExit(run.output)


def releases() -> dict[str, str]:
    """Return the newest release of each version on the server."""
    found = {}
    for release in sorted(on_server(f"ls {STACK}/releases").split()):
        manifest = json.loads(on_server(f"cat {STACK}/releases/{release}/manifest.json"))
        found[manifest["version"]] = release
    return found


def bare_commands(old: str, new: str) -> None:
    """Roll from a release to another by hand: what one would type, a command after the other."""
    compose = f"docker compose --file {STACK}/releases/{new}/compose.yml"
    manifest = json.loads(on_server(f"cat {STACK}/releases/{new}/manifest.json"))
    backend = manifest["services"]["backend"]
    address = next(iter(backend["containers"].values()))
    on_server(f"{compose} pull --quiet --policy missing")
    on_server(f"{compose} run --rm --no-deps migrate")
    on_server(f"{compose} run --rm --no-deps collectstatic")
    on_server(f"{compose} up --detach --no-deps backend-1 frontend-1")
    url = f"http://{address}:{backend['port']}/readyz"
    on_server(f"python3 - {url} {demo.DOMAIN}", PROBE)
    on_server(f"cp {STACK}/releases/{new}/routes.yml {ROUTES}")
    on_server(f"docker compose --file {STACK}/releases/{old}/compose.yml down")


def measure() -> None:
    """Measure in turns, so that what else the machine does hits both alike; print a table."""
    first, second = VERSIONS
    for version in (second, first):
        demo.publish(version)
        deploy(version)
    rows: dict[str, list[float]] = {"deploy": [], "bare commands": [], "no-op": []}
    for _ in range(ROUNDS):
        rows["deploy"].append(seconds(partial(deploy, second)))
        rows["no-op"].append(seconds(partial(deploy, second)))
        known = releases()
        by_hand = partial(bare_commands, known[second], known[first])
        rows["bare commands"].append(seconds(by_hand))
    print("| what | median s | all |\n|---|---|---|")
    for name, times in rows.items():
        listed = ", ".join(f"{one:.1f}" for one in times)
        print(f"| {name} | {statistics.median(times):.1f} | {listed} |")
    ratio = statistics.median(rows["deploy"]) / statistics.median(rows["bare commands"])
    print(f"\ndeploy / bare commands: {ratio:.2f}")
