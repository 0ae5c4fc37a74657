"""What goes to the builder: what was written, not what tools left behind."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from bench import application, builder


def names(archive: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name for member in tar.getmembers() if member.isfile()}


def test_what_tools_left_is_not_sent(tmp_path: Path) -> None:
    for file in ("compose.yml", "frontend/src/main.js", "frontend/node_modules/x/index.js"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert names(application.pack(tmp_path)) == {"./compose.yml", "./frontend/src/main.js"}


def test_files_for_the_builder_belong_to_root() -> None:
    archive = builder.archive({"daemon.json": b"{}"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (member,) = tar.getmembers()
        assert (member.name, member.uid, member.size) == ("daemon.json", 0, 2)
