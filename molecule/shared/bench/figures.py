"""How long deploys take, beside the bare Docker commands that do the same.

Runs against the demo's server. A deploy, without its soak, and the bare commands roll between the
same two releases, whose images are on the server already, in the same run: what the network does is
left out, and what Slipway adds is what is left.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
from typing import Final

from bench import demo
from bench.names import PRIVATE_KEY, STATE
from bench.playbooks import Environment, Run

STACK: Final = "/srv/slipway/stacks/demo"
ROUTES: Final = "/srv/slipway/traefik/dynamic/demo.yml"
NEXT: Final = f"{ROUTES}.next"  # a name that Traefik does not read
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


def deploy(version: str) -> Run:
    """Deploy a version by the shipped playbook, without the soak; it has no bare counterpart."""
    run = Environment((demo.INVENTORY,)).playbook(
        "deploy.yml", stack_version=version, stack_soak_seconds=0
    )
    if not run.ok:
        raise SystemExit(run.output)
    return run


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
    replicas = " ".join(
        f"{name}-{number}"
        for name, service in manifest["services"].items()
        for number in range(1, len(service["containers"]) + 1)
    )
    backend = manifest["services"]["backend"]
    address = next(iter(backend["containers"].values()))
    on_server(f"{compose} pull --quiet --policy missing")
    on_server(f"{compose} run --rm --no-deps migrate")
    on_server(f"{compose} run --rm --no-deps collectstatic")
    on_server(f"{compose} up --detach --wait --no-deps {replicas}")
    # The backend has no health command that `--wait` would wait for.
    url = f"http://{address}:{backend['port']}/readyz"
    on_server(f"python3 - {url} {demo.DOMAIN}", PROBE)
    on_server(f"install -g 65532 -m 640 {STACK}/releases/{new}/routes.yml {NEXT}")
    on_server(f"mv {NEXT} {ROUTES}")
    on_server(f"docker compose --file {STACK}/releases/{old}/compose.yml down")


def tasks(run: Run) -> int:
    """Count the tasks that a playbook ran."""
    return sum(int(count) for count in re.findall(r"\bok=(\d+)", run.output))


def measure() -> None:
    """Measure in turns, so that what else the machine does hits both alike; print a table."""
    first, second = VERSIONS
    for version in (second, first):
        demo.publish(version)
        deploy(version)
    rows: dict[str, list[float]] = {"deploy": [], "bare commands": [], "no-op": []}
    counts = {}
    for _ in range(ROUNDS):
        for name in ("deploy", "no-op"):
            begun = time.monotonic()
            counts[name] = tasks(deploy(second))
            rows[name].append(time.monotonic() - begun)
        known = releases()
        begun = time.monotonic()
        bare_commands(known[second], known[first])
        rows["bare commands"].append(time.monotonic() - begun)
    print("| what | median s | all | tasks |\n|---|---|---|---|")
    for name, times in rows.items():
        listed = ", ".join(f"{one:.1f}" for one in times)
        print(f"| {name} | {statistics.median(times):.1f} | {listed} | {counts.get(name, '')} |")
    ratio = statistics.median(rows["deploy"]) / statistics.median(rows["bare commands"])
    print(f"\ndeploy / bare commands: {ratio:.2f}")
