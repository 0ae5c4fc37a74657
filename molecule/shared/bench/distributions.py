"""The distributions that a test host can have, and how a bare one is made of each."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.engine import client, docker, install_packages
from bench.names import LABEL, LOGS
from bench.shell import BenchError

ORDINARY: Final = "debian-13"


@dataclass(frozen=True)
class Distribution:
    """One release: its image at a public registry, and its name in its archive."""

    public: str
    suite: str
    # docker: Docker's repository, where the distribution's own engine is too old.
    docker_source: str = "distribution"
    include: str = "ca-certificates,python3"
    components: str = ""
    # The package of Debian 13 that knows the archive's keys, where this machine may not.
    keyring: str | None = None

    def making(self, keyring: Path | None = None) -> tuple[str, ...]:
        """Return the command that writes a root file system to its standard output."""
        return (
            *("mmdebstrap", "--quiet", "--variant=minbase", "--format=tar"),
            f"--include={self.include}",
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")),
            *([f"--components={self.components}"] if self.components else []),
            *([f"--keyring={keyring}"] if keyring else []),
            *(self.suite, "-"),
        )


DISTRIBUTIONS: Final[Mapping[str, Distribution]] = {
    ORDINARY: Distribution("debian:trixie-slim", "trixie"),
    "debian-12": Distribution("debian:bookworm-slim", "bookworm", docker_source="docker"),
    "ubuntu-24.04": Distribution(
        "ubuntu:24.04",
        "noble",
        include="apt,ca-certificates,python3",  # there, apt is not required
        components="main,universe",
        keyring="ubuntu-archive-keyring",
    ),
}


def keys(package: str, base: str) -> bytes:
    """Return the keys that a package of Debian 13 brings; `base` is an image of Debian 13."""
    install = f"apt-get update -qq && apt-get install -qq --no-install-recommends {package} >&2"
    show = f"cat /usr/share/keyrings/{package}.gpg"
    command = [client(), "run", "--rm", "--network=host", base, "sh", "-c", f"{install} && {show}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{package} did not install: {done.stderr.decode(errors='replace')}")
    return done.stdout


def import_root(distribution: Distribution, tag: str, archive_keys: bytes = b"") -> None:
    """Make a root file system from the distribution's archive and import it as an image."""
    if shutil.which("mmdebstrap") is None:
        install_packages("mmdebstrap", "debian-archive-keyring")
    LOGS.mkdir(parents=True, exist_ok=True)
    # Not below .bench: apt reads the keys as a user of its own.
    with (
        tempfile.NamedTemporaryFile(suffix=".gpg") as keyring,
        (LOGS / "mmdebstrap.log").open("ab") as log,
    ):
        keyring.write(archive_keys)
        keyring.flush()
        Path(keyring.name).chmod(0o644)
        command = distribution.making(Path(keyring.name) if archive_keys else None)
        making = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        taking = subprocess.run(
            [client(), "import", "--change", f"LABEL {LABEL}=1", "-"],
            stdin=making.stdout,
            capture_output=True,
            check=False,
        )
        if making.wait() != 0:
            raise BenchError(f"mmdebstrap failed: see {LOGS / 'mmdebstrap.log'}")
    if taking.returncode != 0:
        raise BenchError(f"`docker import` failed: {taking.stderr.decode(errors='replace')}")
    docker("tag", taking.stdout.decode().strip(), tag)
