"""From a commit to production by the shipped workflow files, under load; and what must stop where.

Ends with the line `pipeline: commit to live in S s, N requests, M lost`. S is the time from the
commit to the first answer of production that comes from it. What act said lies in .bench/log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from bench import demo
from bench.asking import Settings
from bench.delivery import copies, faults, pull_requests, runner
from bench.delivery.act import INVENTORY, PORT, Delivery, must, site
from bench.delivery.copies import CERTIFICATES, DOMAINS, SLIPWAY, Keys
from bench.load import Running
from bench.names import PRIVATE_KEY, STATE
from bench.playbooks import Environment
from bench.shell import BenchError, say, step, tail
from bench.tallies import SHOWN, losses

FOLDER: Final = STATE / "delivery"
RATE: Final = 100.0
LOAD_SECONDS: Final = 900
POLL_SECONDS: Final = 0.2


def set_up() -> Delivery:
    """Make the runner and a provisioned server, and deliver a first commit to it."""
    made = demo.prepare(list(CERTIFICATES.values()))
    runner.ensure(made)
    with step("Create the server"):
        demo_playbook = Environment((INVENTORY,)).playbook("molecule/shared/create.yml")
        if not demo_playbook.ok:
            raise BenchError(f"create.yml failed:\n{tail(demo_playbook.output)}")
    with step("Fill in a copy of Slipway and of the sample application"):
        keys = copies.make_keys()
        copies.put_slipway(keys, copies.cosign_sha256())
        first = copies.put_application()
    for environment in DOMAINS:
        with step(f"Provision {environment}"):
            provision(environment, keys)
    delivery = Delivery(keys)
    with step("Deliver a first commit"):
        must(delivery.run(first))
    return delivery


def provision(environment: str, keys: Keys) -> None:
    """Provision as an operator does, from the team's copy of Slipway."""
    folder = f"{runner.HOME}/operator"
    runner.execute("sh", "-c", f"rm -rf {folder} && mkdir -m 0700 {folder}")
    runner.copy(
        {
            "identity": PRIVATE_KEY.read_bytes(),
            "known_hosts": f"{keys.known_hosts}\n".encode(),
            "vault": keys.vault_password.encode(),
        },
        folder,
        mode=0o600,
    )
    runner.execute(
        *("uv", "run", "--locked", "--quiet", "--no-default-groups", "ansible-playbook"),
        *("playbooks/provision.yml", "-i", f"inventories/{environment}"),
        environment={
            "UV_PROJECT_ENVIRONMENT": ".venv-deploy",
            "ANSIBLE_PRIVATE_KEY_FILE": f"{folder}/identity",
            "ANSIBLE_VAULT_PASSWORD_FILE": f"{folder}/vault",
            "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={folder}/known_hosts",
        },
        folder=SLIPWAY,
        log="delivery-provision",
    )
    runner.execute("rm", "-rf", folder)


# the measurement --------------------------------------------------------------------------------


@contextmanager
def watched(commit: str) -> Iterator[Callable[[], float]]:
    """Ask production for its version all the while; yield what says when the commit first came."""
    seen: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not seen and not ended.wait(POLL_SECONDS):
            with suppress(OSError, ValueError):
                if site("production").serves()["version"] == commit:
                    seen.append(time.time())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield lambda: seen[0] if seen else 0.0
    finally:
        ended.set()
        thread.join()


def deliver(delivery: Delivery) -> str:
    """Bring a commit to production under load; return the line with the figures."""
    settings = Settings(
        port=PORT, domain=DOMAINS["production"], rate=RATE, seconds=LOAD_SECONDS, mix="sample"
    )
    running = Running(settings, FOLDER)
    try:
        begun = time.time()
        commit = copies.change()
        with step("From a commit to production"), watched(commit) as live:
            must(delivery.run(commit))
            came = live()
    finally:
        records = running.end()
    lost = losses(records)
    for one in lost[:SHOWN]:
        say(f"lost: {one}")
    if not came:
        raise BenchError(f"Production never answered from {commit}")
    line = f"pipeline: commit to live in {came - begun:.0f} s, {len(records)} requests"
    return f"{line}, {len(lost)} lost"


def run(*, with_faults: bool) -> None:
    """Deliver under load; before that, a pull request and, if wanted, what must stop where."""
    delivery = set_up()
    pull_requests.show(delivery)
    if with_faults:
        faults.show(delivery)
    line = deliver(delivery)
    say(line)
    if not line.endswith(" 0 lost"):
        raise BenchError("Requests were lost.")
