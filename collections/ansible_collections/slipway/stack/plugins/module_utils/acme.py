"""Guarding what Traefik keeps of certificates that a CA issued, and warning before one expires.

This file also is a program on the host (see `main`): it is put there as it stands, so it imports
nothing but the standard library. systemd runs it before Docker at boot and whenever the file
changes, because Docker starts Traefik again without anybody's help.

Traefik writes acme.json in place. It takes no file that others may read, goes on without the CA
when it cannot read it, and looks at it only when it starts.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RECORD = Path("/etc/slipway/slot.nft")
TRAEFIK_USER = 65532
HTTPS = 443
LOCALHOST = "127.0.0.1"  # the door takes what the host itself sends to its own port
ANSWER_SECONDS = 5
START_SECONDS = 40
# What Traefik shows where it has no certificate for a name; each instance makes its own.
DEFAULT_CERTIFICATE = b"TRAEFIK DEFAULT CERT"
# Stands for whatever a wildcard is for; nobody has a name like that.
ANY_LABEL = "slipway-wildcard"
# Of certificates that live so many days, warn so many days before their end: Traefik, which renews
# them 30, 10 and 2 days before (getCertificateRenewDurations in pkg/provider/acme), is late then.
WARN_DAYS = ((90, 21.0), (30, 7.0), (0, 1.0))
OPENSSL_TIME = "%b %d %H:%M:%S %Y GMT"


@dataclass(frozen=True)
class Stored:
    """A certificate in acme.json: the names that it is for, and its chain in PEM."""

    names: tuple[str, ...]
    chain: bytes


def read_store(text: str) -> list[Stored]:
    """Return the certificates in an acme.json; ValueError when it is none of Traefik's."""
    try:
        resolvers = json.loads(text)
        if not resolvers:
            raise ValueError("it holds nothing")
        return [
            Stored(
                (one["domain"]["main"], *(one["domain"].get("sans") or [])),
                base64.b64decode(one["certificate"], validate=True),
            )
            for resolver in resolvers.values()
            for one in resolver["Certificates"] or []
            if base64.b64decode(one["key"], validate=True)
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no store of certificates ({error!r})") from error


@dataclass(frozen=True)
class Guard:
    """The store of one slot, and the copy that is put back when it breaks."""

    traefik: Path
    slot: str

    @property
    def store(self) -> Path:
        """Name the file that Traefik reads and writes."""
        return self.traefik / self.slot / "acme" / "acme.json"

    @property
    def good(self) -> Path:
        """Name the last good copy; it is the host's, whichever slot is active."""
        return self.traefik / "acme.good.json"

    def repair(self) -> str:
        """Make the store one that Traefik takes; return what was wrong, or nothing.

        A store that holds certificates becomes the last good copy.
        """
        if not self.store.parent.is_dir():
            return ""
        wrong = self._shape()
        try:
            text = self.store.read_text()
            held = read_store(text)
        except FileNotFoundError:
            return self._restore("is missing") or wrong
        except (ValueError, OSError) as error:
            return self._restore(f"cannot be read: {error}")
        if held:
            if not self.good.exists() or self.good.read_text() != text:
                write(self.good, text, owner=0)
            return wrong
        return self._restore("holds no certificate") or wrong

    def _shape(self) -> str:
        """See to it that it is a file that Traefik's user alone may read."""
        if self.store.is_symlink() or (self.store.exists() and not self.store.is_file()):
            self.store.rename(self.store.with_name(f"acme.json.broken-{time.time_ns()}"))
            return "was no file"
        with suppress(FileNotFoundError):
            found = self.store.stat()
            if (found.st_mode & 0o777, found.st_uid) != (0o600, TRAEFIK_USER):
                self.store.chmod(0o600)
                os.chown(self.store, TRAEFIK_USER, TRAEFIK_USER)
                return f"had mode {found.st_mode & 0o777:o} and owner {found.st_uid}"
        return ""

    def _restore(self, wrong: str) -> str:
        """Put the last good copy back; without one Traefik begins anew with no file at all."""
        try:
            text = self.good.read_text()
            read_store(text)
        except (OSError, ValueError):
            if wrong in {"is missing", "holds no certificate"}:
                return ""
            self.store.unlink(missing_ok=True)
            return wrong
        write(self.store, text, owner=TRAEFIK_USER)
        return wrong


def write(path: Path, text: str, *, owner: int) -> None:
    """Write a file that its owner alone may read, all of it or nothing."""
    temporary = path.with_name(f".{path.name}~")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fchmod(stream.fileno(), 0o600)
        os.fchown(stream.fileno(), owner, owner)
        os.fsync(stream.fileno())
    temporary.replace(path)


# what visitors see --------------------------------------------------------------------------------


def domains(dynamic: Path) -> list[str]:
    """List the names, wildcards too, that the routers in Traefik's dynamic files are for."""
    found = {
        name
        for path in sorted(dynamic.glob("*.yml"))
        if not path.name.endswith(".next.yml")
        for name in re.findall(r"Host\(`((?:\*\.)?[^`*]+)`\)", path.read_text())
    }
    return sorted(found)


def shown(name: str, address: str = LOCALHOST, timeout: float = ANSWER_SECONDS) -> bytes:
    """Return the certificate that a visitor of a name is shown, as DER; empty without an answer.

    For a wildcard somebody asks for a name that it covers and no other certificate does.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whoever signed it, it is shown
    try:
        with (
            socket.create_connection((address, HTTPS), timeout) as bare,
            context.wrap_socket(bare, server_hostname=name.replace("*", ANY_LABEL)) as line,
        ):
            return line.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def life(certificate: bytes) -> tuple[datetime, datetime]:
    """Return from when until when a certificate in DER is good; ValueError when it is none."""
    try:
        done = subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-noout", "-dates"],
            input=certificate,
            capture_output=True,
            timeout=ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(f"openssl cannot read it ({error})") from error
    found = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    begin, end = (
        datetime.strptime(" ".join(found[key].split()), OPENSSL_TIME).replace(tzinfo=UTC)
        for key in ("notBefore", "notAfter")
    )
    return begin, end


def verdict(begin: datetime, end: datetime, now: datetime) -> str:
    """Say that a certificate expires soon, has expired or is not good yet; or nothing."""
    left = (end - now).total_seconds() / 86400
    if begin > now:
        return f"is not good before {begin:%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        return f"expired on {end:%Y-%m-%d %H:%M} UTC"
    # A CA's 90 days lack a second.
    whole = round((end - begin).total_seconds() / 86400)
    if left < next(days for lives, days in WARN_DAYS if whole >= lives):
        return f"expires in {left:.1f} days, on {end:%Y-%m-%d %H:%M} UTC"
    return ""


def warnings(names: list[str], now: datetime) -> Iterator[str]:
    """Say what is wrong with what visitors of these names are shown."""
    for name in names:
        certificate = shown(name)
        if not certificate:
            yield f"{name}: nobody answers at port {HTTPS}."
        elif DEFAULT_CERTIFICATE in certificate:
            yield f"{name}: Traefik has no certificate for it and shows its self-signed one."
        else:
            with suppress(ValueError):
                if wrong := verdict(*life(certificate), now):
                    yield f"{name}: the certificate {wrong}."


# the program --------------------------------------------------------------------------------------


def active_slot() -> str:
    """Return the slot that visitors are led to; its address ends in .2 or .3."""
    found = re.search(r"^define door = [0-9.]+\.([23])$", RECORD.read_text(), re.MULTILINE)
    return "b" if found and found.group(1) == "3" else "a"


def renew(guard: Guard) -> str:
    """Restart Traefik if it started with a broken store: it reads the store only then."""
    held = {name for one in read_store(guard.store.read_text()) for name in one.names}
    bound = time.monotonic() + START_SECONDS
    for name in sorted(held):
        while not (certificate := shown(name)) and time.monotonic() < bound:
            time.sleep(1)
        if DEFAULT_CERTIFICATE in certificate:
            container = f"traefik-{guard.slot}"
            subprocess.run(["docker", "restart", container], check=True, capture_output=True)
            return f"{container} was restarted, since it had not read its certificates."
    return ""


def main(traefik: Path, task: str) -> int:
    """Do a task: `guard` (before Docker), `watch` (guard, and Traefik if need be), `check`."""
    guard = Guard(traefik, active_slot())
    if task == "check":
        found = list(warnings(domains(traefik / "dynamic"), datetime.now(UTC)))
        print("\n".join(found) or "All certificates are good.")
        return 1 if found else 0
    if wrong := guard.repair():
        print(f"{guard.store} {wrong}; it was repaired.")
    if task == "watch" and guard.store.exists():
        with suppress(ValueError):
            print(renew(guard) or f"{guard.store} is good.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
