"""Traefik's credentials at a DNS provider: files for it alone, and no word of them elsewhere."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.credentials import (
    directory_name,
    environment,
    keep_only,
    put,
    read_credentials,
)

VALUES = {"CF_DNS_API_TOKEN": "correct-horse", "AWS_SHARED_CREDENTIALS_FILE": "[default]\n"}
KEY = b"of the host"


@pytest.fixture
def traefik(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    (tmp_path / "credentials").mkdir()
    return tmp_path


def found(traefik: Path) -> dict[str, str]:
    files = [path for path in (traefik / "credentials").rglob("*") if path.is_file()]
    return {str(path.relative_to(traefik / "credentials")): path.read_text() for path in files}


def test_they_are_decoded_as_the_role_encodes_them() -> None:
    assert read_credentials(base64.b64encode(json.dumps(VALUES).encode()).decode()) == VALUES
    assert read_credentials("") == {}


def test_the_container_is_told_files_and_no_values() -> None:
    assert environment(VALUES) == {
        "CF_DNS_API_TOKEN_FILE": "/run/credentials/CF_DNS_API_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE": "/run/credentials/AWS_SHARED_CREDENTIALS_FILE",
    }


def test_the_name_follows_the_values_and_says_nothing_without_the_key() -> None:
    name = directory_name(VALUES, KEY)
    assert name == directory_name(dict(reversed(VALUES.items())), KEY)
    assert name != directory_name({**VALUES, "CF_DNS_API_TOKEN": "another"}, KEY)
    assert name != directory_name(VALUES, b"of another host")
    assert directory_name({}, KEY) == ""


def test_each_is_a_file_that_its_reader_alone_may_read(
    traefik: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: set[tuple[int, int]] = set()
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: owners.add((uid, gid)))
    put(traefik, "one", VALUES)
    assert found(traefik) == {f"one/{name}": value for name, value in VALUES.items()}
    assert owners == {(65532, 65532)}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (traefik / "credentials/one").iterdir()}
    assert modes == {0o400}
    assert stat.S_IMODE((traefik / "credentials/one").stat().st_mode) == 0o750


def test_what_lies_there_is_left_alone(traefik: Path) -> None:
    put(traefik, "one", VALUES)
    inode = (traefik / "credentials/one/CF_DNS_API_TOKEN").stat().st_ino
    put(traefik, "one", VALUES)
    assert (traefik / "credentials/one/CF_DNS_API_TOKEN").stat().st_ino == inode
    put(traefik, "", {})
    assert len(found(traefik)) == len(VALUES)


def test_what_a_killed_run_left_is_begun_again(traefik: Path) -> None:
    (traefik / "credentials/.one~").mkdir()
    (traefik / "credentials/.one~/HALF").write_text("x")
    put(traefik, "one", VALUES)
    assert found(traefik) == {f"one/{name}": value for name, value in VALUES.items()}


def test_only_those_of_the_slot_that_serves_stay(traefik: Path) -> None:
    put(traefik, "one", VALUES)
    put(traefik, "two", VALUES)
    (traefik / "credentials/.three~").mkdir()
    keep_only(traefik, "two")
    assert [path.name for path in (traefik / "credentials").iterdir()] == ["two"]
    keep_only(traefik, "")
    assert list((traefik / "credentials").iterdir()) == []
