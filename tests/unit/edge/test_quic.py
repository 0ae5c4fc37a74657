"""Connections of HTTP/3: what the program conntrack is asked, and what its answers mean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import quic
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

from tests.unit.edge.host import A6, A

# As conntrack 1.4.7 prints them.
LINE = (
    "udp      17 {left} src=2001:db8::9 dst=2001:db8::1 sport=5006 dport=443 "
    "src=fd5c:1b0a:7e3d:d::2 dst=2001:db8::9 sport=443 dport=5006 {assured}mark=0 use=1"
)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a kernel's timeouts, beside which programs can be put."""
    (tmp_path / "nf_conntrack_udp_timeout_stream").write_text("120\n")
    (tmp_path / "nf_conntrack_udp_timeout").write_text("30\n")
    monkeypatch.setattr(quic, "TIMEOUTS", tmp_path)
    return tmp_path


def saying(place: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    program = place / "conntrack"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    patch.setattr(shutil, "which", lambda _: str(program))


@pytest.mark.parametrize(
    ("left", "assured", "silent"),
    [(118, "[ASSURED] ", 2), (90, "[ASSURED] ", 30), (29, "", 1), (4, "", 26)],
)
def test_silence_is_what_is_missing_of_the_kernel_s_patience(
    left: int, assured: str, silent: int, kernel: Path
) -> None:
    assert quic.silent_seconds(LINE.format(left=left, assured=assured)) == silent


def test_what_was_silent_for_longer_than_quic_waits_is_no_connection(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [LINE.format(left=left, assured="[ASSURED] ") for left in (119, 91, 90, 3)]
    saying(kernel, monkeypatch, f"cat <<END\n{chr(10).join(lines)}\nEND")
    assert quic.open_connections([A]) == 2


def test_each_family_is_asked_for_its_own_address(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(kernel, monkeypatch, f'echo "$*" >> {kernel}/asked')
    quic.forget([A, A6])
    ports = "--orig-port-dst 443 --reply-port-src 443"
    assert (kernel / "asked").read_text().splitlines() == [
        f"--delete --family ipv4 --proto udp --reply-src {A} {ports}",
        f"--delete --family ipv6 --proto udp --reply-src {A6} {ports}",
    ]


def test_where_http_3_was_never_on_there_is_nothing_to_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert quic.open_connections([A]) == 0
    quic.forget([A])


def test_that_nothing_was_there_to_forget_is_no_failure(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "conntrack v1.4.8 (conntrack-tools): 0 flow entries have been deleted."
    saying(kernel, monkeypatch, f"echo '{said}' >&2; exit 1")
    quic.forget([A])


def test_a_failure_is_told(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(kernel, monkeypatch, "echo 'Operation not permitted' >&2; exit 1")
    with pytest.raises(ReleaseError, match=r"--dump .* failed: Operation not permitted"):
        quic.open_connections([A])
