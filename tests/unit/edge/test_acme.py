"""What guards acme.json, and what warns before a certificate expires."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import acme
from ansible_collections.slipway.stack.plugins.module_utils.acme import (
    Guard,
    domains,
    life,
    read_store,
    shown,
    verdict,
    warnings,
)
from bench.ca import make_authority, make_leaf, write_pair
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def store(*names: str) -> str:
    """Write an acme.json as Traefik does."""
    value = base64.b64encode(b"PEM").decode()
    held = [
        {"domain": {"main": name}, "certificate": value, "key": value, "Store": "default"}
        for name in names
    ]
    return json.dumps({"acme": {"Account": {"Email": "a@b.c"}, "Certificates": held or None}})


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guard:
    """Have a store with a certificate, and its good copy."""
    monkeypatch.setattr(acme, "TRAEFIK_USER", os.getuid())
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    guard = Guard(tmp_path, "a")
    guard.store.parent.mkdir(parents=True)
    guard.store.write_text(store("shop.example.com"))
    guard.store.chmod(0o600)
    assert guard.repair() == ""
    return guard


def assert_good(guard: Guard) -> None:
    assert guard.store.is_file()
    assert stat.S_IMODE(guard.store.stat().st_mode) == 0o600
    (one,) = read_store(guard.store.read_text())
    assert one.names == ("shop.example.com",)


# the store --------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.write_text(path.read_text()[:40])


def open_to_all(path: Path) -> None:
    path.chmod(0o644)


def empty(path: Path) -> None:
    path.write_text("")


def other(path: Path) -> None:
    path.write_text('{"some": "thing"}')


def a_list(path: Path) -> None:
    path.write_text("[1]")


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


def without_certificates(path: Path) -> None:
    path.write_text(store())


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def deleted(path: Path) -> None:
    path.unlink()


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    "harm",
    [
        truncated,
        open_to_all,
        empty,
        other,
        a_list,
        binary,
        without_certificates,
        a_directory,
        deleted,
        a_link,
    ],
)
def test_whatever_happens_to_the_store_the_last_good_one_is_back(guard: Guard, harm: Any) -> None:
    harm(guard.store)
    assert guard.repair() != ""
    assert_good(guard)
    assert guard.repair() == ""


def test_a_store_that_gained_a_certificate_is_the_new_good_copy(guard: Guard) -> None:
    guard.store.write_text(store("shop.example.com", "new.example.com"))
    assert guard.repair() == ""
    deleted(guard.store)
    guard.repair()
    assert len(read_store(guard.store.read_text())) == 2


def test_the_good_copy_is_for_root_alone(guard: Guard) -> None:
    assert stat.S_IMODE(guard.good.stat().st_mode) == 0o600


@pytest.mark.parametrize("harm", [truncated, empty, other, a_directory])
def test_without_a_good_copy_what_traefik_would_refuse_is_taken_away(
    guard: Guard, harm: Any
) -> None:
    guard.good.unlink()
    harm(guard.store)
    assert guard.repair() != ""
    assert not guard.store.exists()
    assert guard.repair() == ""


def test_a_good_copy_that_is_broken_itself_is_not_put_back(guard: Guard) -> None:
    guard.good.write_text("{")
    deleted(guard.store)
    guard.repair()
    assert not guard.store.exists()


def test_a_host_without_a_store_has_nothing_to_guard(tmp_path: Path) -> None:
    assert Guard(tmp_path, "a").repair() == ""


# the slot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "slot"), [("2", "a"), ("3", "b")])
def test_the_record_says_whose_store_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, slot: str
) -> None:
    monkeypatch.setattr(acme, "RECORD", tmp_path / "slot.nft")
    acme.RECORD.write_text(f"# comment\ndefine door = 10.213.0.{last}\n")
    assert acme.active_slot() == slot


# the warning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "days", "said"),
    [
        (10, 90, ""),
        (70, 90, "expires in 20.0 days"),
        (68, 90 - 1 / 86400, ""),
        (53, 64, ""),
        (36, 45, ""),
        (39, 45, "expires in 6.0 days"),
        (4, 6, ""),
        (5.5, 6, "expires in 0.5 days"),
        (91, 90, "expired on"),
        (-1, 90, "is not good before"),
    ],
)
def test_a_warning_comes_when_traefik_is_late_and_early_enough_to_mend_it(
    age: float, days: float, said: str
) -> None:
    begin = NOW - timedelta(days=age)
    found = verdict(begin, begin + timedelta(days=days), NOW)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_life_is_read_out_of_a_certificate() -> None:
    certificate, _ = make_authority(NOW)
    begin, end = life(certificate.public_bytes(Encoding.DER))
    assert (begin, end) == (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    with pytest.raises(ValueError, match="openssl cannot read it"):
        life(b"nothing")


def test_what_visitors_are_shown_is_judged_name_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, _ = make_authority(NOW - timedelta(days=3640))
    answers = {
        "silent.example.com": b"",
        "default.example.com": b"..." + acme.DEFAULT_CERTIFICATE,
        "old.example.com": certificate.public_bytes(Encoding.DER),
    }
    monkeypatch.setattr(acme, "shown", answers.__getitem__)
    silent, default, old = warnings(list(answers), NOW)
    assert silent == "silent.example.com: nobody answers at port 443."
    assert default.startswith("default.example.com: Traefik has no certificate")
    assert old.startswith("old.example.com: the certificate expires in 10.0 days")


def test_names_come_from_the_routers_and_no_trial_s(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text("Host(`b.example.com`) || Host(`a.example.com`)")
    (tmp_path / "api.yml").write_text(
        "(Host(`example.com`) || Host(`*.example.com`)) && Method(`X`)"
    )
    (tmp_path / "theirs.yml").write_text("Host(`*`)")
    (tmp_path / "shop.next.yml").write_text("Host(`tried.example.com`)")
    found = ["*.example.com", "a.example.com", "b.example.com", "example.com"]
    assert domains(tmp_path) == found


@pytest.fixture
def traefik(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """Have somebody answer TLS; return the names that were asked for."""
    authority, key = make_authority(NOW)
    leaf, leaf_key = make_leaf(authority, key, ["*.example.com"], datetime.now(UTC))
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".crt") as file:
        write_pair(leaf, leaf_key, Path(file.name))
        context.load_cert_chain(file.name, Path(file.name).with_suffix(".key"))
        Path(file.name).with_suffix(".key").unlink()
    context.sni_callback = lambda _line, name, _context: asked.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(acme, "HTTPS", server.getsockname()[1])

        def answer() -> None:
            with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True):
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
    thread.join(10)


def test_a_wildcard_is_asked_for_by_a_name_that_it_covers(traefik: list[str | None]) -> None:
    certificate = x509.load_der_x509_certificate(shown("*.example.com"))
    assert traefik == ["slipway-wildcard.example.com"]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.example.com"]


def test_traefik_that_has_not_read_a_wildcard_is_restarted(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.store.write_text(store("*.example.com"))
    commands: list[list[str]] = []
    monkeypatch.setattr(acme, "shown", lambda *_: acme.DEFAULT_CERTIFICATE)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    assert "was restarted" in acme.renew(guard)
    assert commands == [["docker", "restart", "traefik-a"]]
