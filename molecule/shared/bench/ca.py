"""The demo's certificate authority, and the certificates it signs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bench.names import STATE

FOLDER: Final = STATE / "ca"
AUTHORITY: Final = FOLDER / "ca.crt"
AUTHORITY_KEY: Final = FOLDER / "ca.key"
CERTIFICATES: Final = STATE / "certificates"

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=90)
RENEW_BEFORE: Final = timedelta(days=14)
BACKDATED: Final = timedelta(hours=1)  # a clock that is a little late still accepts it


def name(common: str) -> x509.Name:
    """Return a subject or issuer of that common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def make_authority(now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a certificate authority that may sign leaves and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name("Slipway bench")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the key usage of an authority, or of a server."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_leaf(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    domains: Sequence[str],
    now: datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a server certificate for the domains, signed by the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name(domains[0]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LEAF_LIFE)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return certificate, key


def is_good(leaf: x509.Certificate, domains: Sequence[str], now: datetime) -> bool:
    """Say whether a certificate is for exactly these domains and lasts long enough."""
    extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    covered = set(extension.value.get_values_for_type(x509.DNSName))
    return covered == set(domains) and leaf.not_valid_after_utc - now > RENEW_BEFORE


def is_signed_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Say whether this authority signed it, and not an earlier one of the same name."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError):
        return False
    return True


def write_pair(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, certificate_file: Path
) -> None:
    """Write a certificate and, beside it as .key, its private key, which only we may read."""
    key_file = certificate_file.with_suffix(".key")
    certificate_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def read_authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the authority kept in .bench, made at the first call."""
    if not AUTHORITY.exists():
        write_pair(*make_authority(datetime.now(UTC)), AUTHORITY)
    key = serialization.load_pem_private_key(AUTHORITY_KEY.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{AUTHORITY_KEY} holds no elliptic curve key: run `make clean`")
    return x509.load_pem_x509_certificate(AUTHORITY.read_bytes()), key


def ensure_certificate(domains: Sequence[str]) -> Path:
    """Return the file of a certificate for the domains; its key lies beside it as .key."""
    now = datetime.now(UTC)
    file = CERTIFICATES / f"{domains[0]}.crt"
    authority, authority_key = read_authority()
    if file.exists():
        leaf = x509.load_pem_x509_certificate(file.read_bytes())
        if is_signed_by(leaf, authority) and is_good(leaf, domains, now):
            return file
    write_pair(*make_leaf(authority, authority_key, domains, now), file)
    return file
