"""What auditors say of a test host: testssl.sh, Mozilla's Observatory, ssh-audit and Lynis.

Their programs are in an image of the scenario `audit`, and run beside the host as a stranger's
would. Lynis reads files, so it is copied to the host first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.ca import AUTHORITY
from bench.engine import address, docker
from bench.names import NETWORK, PREFIX, REGISTRY_DOOR
from bench.sample import container

NAME: Final = f"{PREFIX}-auditor"
IMAGE: Final = f"{REGISTRY_DOOR}/auditor/auditor:1"
LYNIS: Final = ("/usr/sbin/lynis", "/usr/share/lynis", "/etc/lynis")
REPORT: Final = "/var/log/lynis-report.dat"
# sshd keeps a stranger who never logs in out for a while: ask until it greets, but not often.
GREETED: Final = """
import socket, sys, time
end = time.monotonic() + 180
while time.monotonic() < end:
    with socket.create_connection((sys.argv[1], 22), 10) as line:
        if line.recv(64).startswith(b"SSH-2.0-"):
            sys.exit()
    time.sleep(5)
sys.exit("sshd did not greet the auditor")
"""


@dataclass(frozen=True)
class Finding:
    """What an auditor says: the id of its check, how bad that is in its own words, and the text."""

    check: str
    severity: str
    text: str


@dataclass(frozen=True)
class Tls:
    """What testssl.sh says of a name: its grade, and all that is neither good nor just so."""

    grade: str
    findings: list[Finding]


@dataclass(frozen=True)
class Hardening:
    """What Lynis says of a host: its index of 100, and what it warns of and suggests."""

    index: int
    warnings: list[Finding]
    suggestions: list[Finding]


def tls_of(said: Iterable[Mapping[str, str]]) -> Tls:
    """Read the JSON file of testssl.sh, a list of `{id, severity, finding}`."""
    items = list(said)
    return Tls(
        grade=next(item["finding"] for item in items if item["id"] == "overall_grade"),
        findings=[
            Finding(item["id"], item["severity"], item["finding"])
            for item in items
            if item["severity"] not in {"OK", "INFO"}
        ],
    )


def hardening_of(report: str) -> Hardening:
    """Read the report of Lynis: lines of `key=value`, lists by `key[]=`."""
    pairs = [line.partition("=")[::2] for line in report.splitlines() if "=" in line]

    def findings(kind: str) -> list[Finding]:
        fields = [value.split("|") for key, value in pairs if key == f"{kind}[]"]
        return [
            Finding(check, kind, f"{text} {detail}".rstrip(" -"))
            for check, text, detail, *_ in fields
        ]

    return Hardening(
        index=int(dict(pairs)["hardening_index"]),
        warnings=findings("warning"),
        suggestions=findings("suggestion"),
    )


def notes_of(said: Mapping[str, Any]) -> set[Finding]:
    """Read the JSON of ssh-audit: what it says against an algorithm, as `fail` or `warn`."""
    return {
        Finding(each["algorithm"], severity, note)
        for kind in ("kex", "key", "enc", "mac")
        for each in said[kind]
        for severity in ("fail", "warn")
        for note in each["notes"].get(severity, [])
    }


def profile(skipped: Iterable[str]) -> str:
    """Return the profile that has Lynis leave out some of its checks."""
    return "".join(f"skip-test={check}\n" for check in skipped)


@dataclass(frozen=True)
class Auditor:
    """A container beside the host, by its name, and the host's container and address."""

    name: str
    host: str
    address: str

    def run(self, *command: str) -> str:
        """Run a program of its image; return what it wrote, raise BenchError when it fails."""
        return docker("exec", self.name, *command, log="auditor")

    def tls(self, domain: str) -> Tls:
        """Have testssl.sh look at a name, trusting the bench's authority; takes some minutes."""
        # DNS knows another host by this name, or none.
        where = f"--nodns none --ip {self.address} {domain}"
        ask = f"testssl --quiet --warnings off --add-ca /ca.crt --jsonfile /tls.json {where}"
        # Below 50 it counts what it was not sure of, and what it was not sure of is in the file.
        self.run("sh", "-c", f"rm -f /tls.json; {ask} || test $? -lt 50")
        return tls_of(json.loads(self.run("cat", "/tls.json")))

    def observatory(self, domain: str) -> dict[str, Any]:
        """Have Mozilla's Observatory score a site: `{"scan": …, "tests": …}`."""
        scan = "/observatory/node_modules/@mdn/mdn-http-observatory/src/scan.js"
        said: dict[str, Any] = json.loads(
            self.run("env", "NODE_EXTRA_CA_CERTS=/ca.crt", "node", scan, domain)
        )
        return said

    def policy(self, path: str) -> str:
        """Have ssh-audit compare the host with a policy; raises BenchError with what differs."""
        self.run("python3", "-c", GREETED, self.address)
        return self.run("ssh-audit", "--policy", path, self.address)

    def ssh(self) -> set[Finding]:
        """Have ssh-audit look at the host's algorithms."""
        self.run("python3", "-c", GREETED, self.address)
        # Its exit code tells how bad the worst of them is. How many connections sshd takes is the
        # filter's to bound, and what asks too often is kept out.
        ask = f"ssh-audit --json --skip-rate-test {self.address}"
        return notes_of(json.loads(self.run("sh", "-c", f"{ask} || test $? -lt 4")))

    def hardening(self, skipped: Iterable[str]) -> Hardening:
        """Have Lynis look at the host, without the checks that are named."""
        docker("exec", self.host, "rm", "-rf", *LYNIS)
        with tempfile.TemporaryDirectory() as folder:
            for number, path in enumerate(LYNIS):
                copy = Path(folder, str(number))
                docker("cp", f"{self.name}:{path}", copy)
                docker("cp", copy, f"{self.host}:{path}")
            settings = Path(folder, "custom.prf")
            settings.write_text(profile(skipped))
            docker("cp", settings, f"{self.host}:/etc/lynis/custom.prf")
        docker("exec", self.host, "lynis", "audit", "system", "--quick", "--no-colors", log="lynis")
        return hardening_of(docker("exec", self.host, "cat", REPORT))


@contextmanager
def beside(host: str, domain: str) -> Iterator[Auditor]:
    """Give a host an auditor that finds its domain there; take it away in the end."""
    place = address(host)
    docker("pull", "--quiet", IMAGE)
    with container(NAME, f"--network={NETWORK}", f"--add-host={domain}:{place}", IMAGE) as name:
        docker("cp", AUTHORITY, f"{name}:/ca.crt")
        docker("start", name)
        yield Auditor(name, host, place)
