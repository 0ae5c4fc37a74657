"""The demo's certificates: signed by its own authority, for the right names, renewed in time."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench import ca
from cryptography import x509

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(ca, "AUTHORITY", tmp_path / "ca" / "ca.crt")
    monkeypatch.setattr(ca, "AUTHORITY_KEY", tmp_path / "ca" / "ca.key")
    monkeypatch.setattr(ca, "CERTIFICATES", tmp_path / "certificates")
    return tmp_path


def test_a_leaf_is_signed_by_the_authority() -> None:
    authority, key = ca.make_authority(NOW)
    leaf, _ = ca.make_leaf(authority, key, ["a.test", "b.test"], NOW)
    leaf.verify_directly_issued_by(authority)


def test_a_leaf_is_good_for_its_names_until_it_should_be_renewed() -> None:
    authority, key = ca.make_authority(NOW)
    leaf, _ = ca.make_leaf(authority, key, ["a.test", "b.test"], NOW)
    assert ca.is_good(leaf, ["b.test", "a.test"], NOW)
    assert not ca.is_good(leaf, ["a.test"], NOW)
    late = NOW + ca.LEAF_LIFE - ca.RENEW_BEFORE
    assert ca.is_good(leaf, ["a.test", "b.test"], late - timedelta(seconds=1))
    assert not ca.is_good(leaf, ["a.test", "b.test"], late)


def test_a_good_certificate_is_kept() -> None:
    file = ca.ensure_certificate(["a.test"])
    first = file.read_bytes()
    assert ca.ensure_certificate(["a.test"]).read_bytes() == first
    assert ca.ensure_certificate(["a.test", "www.a.test"]).read_bytes() != first


def test_a_new_authority_signs_anew() -> None:
    before = x509.load_pem_x509_certificate(ca.ensure_certificate(["a.test"]).read_bytes())
    ca.AUTHORITY.unlink()
    after = x509.load_pem_x509_certificate(ca.ensure_certificate(["a.test"]).read_bytes())
    assert before != after
    after.verify_directly_issued_by(ca.read_authority()[0])


def test_only_we_may_read_the_keys() -> None:
    ca.ensure_certificate(["a.test"])
    keys = [ca.AUTHORITY_KEY, ca.CERTIFICATES / "a.test.key"]
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600, 0o600]
