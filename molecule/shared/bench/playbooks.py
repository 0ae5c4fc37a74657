"""Run the shipped playbooks as the README says, and read how they ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.names import ROOT

SECONDS: Final = 600
# Molecule asks for colours; here a program reads.
PLAIN: Final = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}


@dataclass(frozen=True)
class Run:
    """How a run of ansible-playbook ended; `output` is what an operator saw."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.code == 0

    @property
    def changed(self) -> int:
        """The number of changed tasks on all hosts; ValueError when there is no recap to read."""
        counts = re.findall(r"\bchanged=(\d+)", self.output)
        if not counts:
            raise ValueError(f"this output has no recap:\n{self.output}")
        return sum(int(count) for count in counts)


@dataclass(frozen=True)
class Environment:
    """An environment by its inventories, paths below the repository's root.

    A courteous controller leaves the processors to the servers, which share this machine with it.
    """

    inventories: tuple[str, ...]
    courteous: bool = False

    def command(self, name: str, *options: str, **variables: Any) -> list[str]:
        """Return the command that runs a playbook, from the repository's root."""
        return [
            *(("nice", "-n", "19") if self.courteous else ()),
            str(Path(sys.executable).with_name("ansible-playbook")),
            name,
            *(word for inventory in self.inventories for word in ("-i", inventory)),
            *options,
            *(("--extra-vars", json.dumps(variables)) if variables else ()),
        ]

    def playbook(self, name: str, *options: str, **variables: Any) -> Run:
        """Run a playbook and return how it ended, good or bad."""
        done = subprocess.run(
            self.command(name, *options, **variables),
            cwd=ROOT,
            env=settings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Run(done.returncode, done.stdout)


def settings() -> dict[str, str]:
    """Return the environment that a playbook runs in."""
    return {**os.environ, **PLAIN, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
