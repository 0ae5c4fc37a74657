"""A machine beside a test host, with both families of addresses: what answers it, what does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from bench.engine import client, docker, exists
from bench.names import LABEL, PREFIX

NETWORK: Final = f"{PREFIX}-neighbours"
NAME: Final = f"{PREFIX}-neighbour"
SUBNETS: Final = ("172.31.213.0/24", "fd00:5119:a7::/64")
# A refusal is an answer too: only silence is none.
KNOCK: Final = """
import errno, json, select, socket, sys, time
asked = json.loads(sys.stdin.readline())
watched = select.poll()
answered, opened, rounds = set(), set(), 0

def begin(address, port):
    line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    line.setblocking(False)
    return line, line.connect_ex((address, port))

def knock(targets, patience):
    lines = {}
    silent = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EAGAIN}
    poll = select.poll()
    for address, port in targets:
        line, code = begin(address, port)
        if code == errno.EINPROGRESS:
            lines[line.fileno()] = (line, address, port)
            poll.register(line, select.POLLOUT)
        else:
            line.close()
            if code not in silent:
                answered.add((address, port))
    end = time.monotonic() + patience
    while lines and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            line, address, port = lines.pop(descriptor)
            poll.unregister(descriptor)
            code = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code not in silent:
                answered.add((address, port))
            if code == 0:
                opened.add((address, port))
            line.close()
    for line, _, _ in lines.values():
        line.close()

targets = [tuple(each) for each in asked["targets"]]
while True:
    for start in range(0, len(targets), asked["at_once"]):
        knock(targets[start:start + asked["at_once"]], asked["patience"])
    rounds += 1
    if not asked["until_eof"] or select.select([sys.stdin], [], [], 0)[0]:
        break
print(json.dumps({"rounds": rounds, "answered": sorted(answered), "opened": sorted(opened)}))
"""

Target = tuple[str, int]


@dataclass(frozen=True)
class Neighbour:
    """A container with a foot in the host's own network; `host` is the host's address by family."""

    name: str
    host: dict[int, str]
    own: dict[int, str]

    def run(self, *command: str) -> str:
        """Run a command in it."""
        return docker("exec", self.name, *command)

    def knocks(self, targets: Iterable[Target], patience: float = 1.0) -> set[Target]:
        """Try each address and port once; return those from which anything came back."""
        return _ended(self._begin(targets, patience, until_eof=False)).answered

    def route(self, subnet: str) -> None:
        """Send what is meant for a subnet through the host."""
        via = self.host[6 if ":" in subnet else 4]
        self.run("ip", "route", "replace", subnet, "via", via)

    @contextmanager
    def knocking(self, targets: Iterable[Target], patience: float = 0.3) -> Iterator[Found]:
        """Try them again and again beside the block; a round is no longer than the patience."""
        found = Found()
        process = self._begin(targets, patience, until_eof=True)
        try:
            yield found
        finally:
            ended = _ended(process)
            found.rounds, found.answered, found.opened = ended.rounds, ended.answered, ended.opened

    def _begin(
        self, targets: Iterable[Target], patience: float, *, until_eof: bool
    ) -> subprocess.Popen[str]:
        asked = {
            "targets": list(targets),
            "patience": patience,
            "at_once": 4000,
            "until_eof": until_eof,
        }
        process = subprocess.Popen(
            [client(), "exec", "--interactive", self.name, "python3", "-c", KNOCK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin  # noqa: S101 - opened above
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        return process


@dataclass
class Found:
    """What anything came back from, refusals too, and what let a connection in."""

    rounds: int = 0
    answered: set[Target] = field(default_factory=set)
    opened: set[Target] = field(default_factory=set)


def _ended(process: subprocess.Popen[str]) -> Found:
    written, _ = process.communicate(timeout=300)
    found = json.loads(written)
    answered, opened = (
        {(each, port) for each, port in found[key]} for key in ("answered", "opened")
    )
    return Found(found["rounds"], answered, opened)


@contextmanager
def beside(container: str, image: str) -> Iterator[Neighbour]:
    """Give a host a neighbour, and take it away again."""
    remove(container)
    docker(
        *("network", "create", f"--label={LABEL}=1", "--ipv6"),
        *(f"--subnet={subnet}" for subnet in SUBNETS),
        NETWORK,
    )
    try:
        docker("network", "connect", NETWORK, container)
        docker(
            *("run", "--detach", f"--name={NAME}", f"--label={LABEL}=1", f"--network={NETWORK}"),
            *("--cap-add=NET_ADMIN", "--init", "--entrypoint=sleep", image, "infinity"),
        )
        yield Neighbour(NAME, addresses(container), addresses(NAME))
    finally:
        remove(container)


def addresses(container: str) -> dict[int, str]:
    """Return a container's addresses on the neighbours' network, by family."""
    text = docker("inspect", "--format={{json .NetworkSettings.Networks}}", container)
    found: dict[str, Any] = json.loads(text)[NETWORK]
    return {4: found["IPAddress"], 6: found["GlobalIPv6Address"]}


def remove(container: str) -> None:
    """Remove the neighbour and its network, of which the host may be gone already."""
    if exists("container", NAME):
        docker("rm", "--force", NAME)
    if exists("network", NETWORK):
        members = docker(
            "network", "inspect", "--format={{range .Containers}}{{.Name}} {{end}}", NETWORK
        )
        if container in members.split():
            docker("network", "disconnect", "--force", NETWORK, container)
        docker("network", "rm", NETWORK)
