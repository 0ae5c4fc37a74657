"""Secrets that the tests plant, and where they must not turn up: output, processes, files."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from bench.engine import docker
from bench.names import ROOT

SAMPLE_SECONDS: Final = 0.05
VAULTS: Final = "molecule/inventory/*/group_vars/docker_hosts/vault.yml"
# The name of a role in Postgres; it shows in its log.
NO_SECRET: Final = frozenset({"vault_postgres_login"})


def planted(*vaults: Path) -> dict[str, str]:
    """Return the secrets of all test inventories, and of these files, by their names."""
    found: dict[str, str] = {}
    for path in (*ROOT.glob(VAULTS), *vaults):
        for name, secret in yaml.safe_load(path.read_text()).items():
            if name not in NO_SECRET:
                found[f"{name} of {path.parts[-4]}"] = secret
    return found


def shapes(secret: str) -> set[str]:
    """Return what a secret looks like as it is, in JSON, in Python's words, and those in base64."""
    plain = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return plain | {_in_base64(one.encode(), before) for one in plain for before in range(3)}


def _in_base64(secret: bytes, before: int) -> str:
    """Return what stands in base64 for a secret that has so many bytes, modulo 3, before it.

    Without the characters at both ends that hold bits of what stands beside it.
    """
    text = base64.b64encode(bytes(before) + secret).decode()
    return text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]


def shown(text: str, secrets: dict[str, str]) -> set[str]:
    """Name the secrets that a text shows."""
    return {name for name, secret in secrets.items() if any(one in text for one in shapes(secret))}


class Processes:
    """Looks at the arguments of all processes while its block runs.

    A test host is a container on this machine, so that its processes are among them.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        """Know what must not be seen."""
        self.secrets = secrets
        self.seen: set[str] = set()
        self.looks = 0
        self._known: set[tuple[str, bytes]] = set()
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        """Begin."""
        self._watching = self._pool.submit(self._watch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; raises what ended the looking before."""
        self._end.set()
        self._pool.shutdown()
        self._watching.result()

    def _watch(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            self.looks += 1
            # Of the processes alone: their files may be gone before a pattern has met them.
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    words = (process / "cmdline").read_bytes()
                except OSError:  # it has ended
                    continue
                if (process.name, words) not in self._known:
                    self._known.add((process.name, words))
                    self.seen |= shown(words.decode(errors="replace"), self.secrets)


def files_with(server: str, places: Iterable[str], texts: Iterable[str]) -> list[str]:
    """List the files of a host, below these places, in which one of the texts stands."""
    # By its standard input: it must not find its own arguments.
    patterns = "\n".join(texts).encode() + b"\n"
    command = ("grep", "--recursive", "--text", "--files-with-matches", "--fixed-strings")
    # What is mounted as a container's root lies below its layers, too.
    quiet = ("--no-messages", "--devices=skip", "--exclude-dir=merged", "--file=-", *places)
    words = " ".join([*command, *quiet])
    # Which ends with 1 when it finds nothing, and with 2 when a file goes away meanwhile.
    told = docker("exec", "--interactive", server, "sh", "-c", f"{words} || true", data=patterns)
    return told.split("\n")[:-1]


def inventory(folder: Path, host: str, **variables: Any) -> str:
    """Write an inventory that lays values over those of a host's others; return its path."""
    group = folder / "group_vars" / "docker_hosts"
    group.mkdir(parents=True)
    hosts: dict[str, Any] = {"docker_hosts": {"hosts": {host: {}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    (group / "vault.yml").write_text(yaml.safe_dump(variables, allow_unicode=True))
    return str(folder)
