"""Programs on PATH that note how they were called and answer what a test wants."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
folder = pathlib.Path({folder!r})
name = pathlib.Path(sys.argv[0]).name
words = sys.argv[1:]
stdin = sys.stdin.read() if name in {reading!r} else ""
with (folder / "calls.jsonl").open("a") as calls:
    print(json.dumps([name, words, dict(os.environ), stdin]), file=calls)
for begin, answer, code in json.loads((folder / "answers.json").read_text()):
    if " ".join([name, *words]).startswith(begin):
        exec(answer) if answer.startswith("#python") else print(answer, end="")
        sys.exit(code)
"""


@dataclass
class Call:
    """How a program was called."""

    words: list[str]
    environment: dict[str, str]
    stdin: str


class Programs:
    """`answer` says what a command that begins so prints or does; the first that fits counts."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
        self.folder = folder
        self.answers: list[tuple[str, str, int]] = []
        self._write()
        text = SCRIPT.format(folder=str(folder), reading=("docker", "ssh"))
        for name in names:
            program = folder / name
            program.write_text(text)
            program.chmod(0o755)
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def answer(self, begin: str, text: str = "", code: int = 0) -> None:
        self.answers.append((begin, text, code))
        self._write()

    def _write(self) -> None:
        (self.folder / "answers.json").write_text(json.dumps(self.answers))

    @property
    def calls(self) -> list[Call]:
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            Call([name, *words], environment, stdin)
            for name, words, environment, stdin in map(json.loads, lines)
        ]

    def lines(self, begin: str = "") -> list[str]:
        found = (" ".join(call.words) for call in self.calls)
        return [line for line in found if line.startswith(begin)]
