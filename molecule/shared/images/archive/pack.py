"""Make Docker's apt repository of Ubuntu's packages: `pack.py FOLDER`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FROM_SUITE: Final = "jammy-updates"
KEY: Final = "Stand-in for Docker's repository"
# Where Docker has what the bench's Debian 12 asks for.
REPOSITORY: Final = "linux/debian"
SUITE: Final = "bookworm"


@dataclass(frozen=True)
class Package:
    """One of Docker's, and what of Ubuntu's goes into it."""

    name: str
    contents: dict[str, tuple[str, ...]]  # paths by Ubuntu's package
    depends: str = ""
    instead_of: str = ""
    units: tuple[str, ...] = ()


PLUGINS: Final = "usr/libexec/docker/cli-plugins"
PACKAGES: Final = (
    Package(
        "docker-ce",
        {
            "docker.io": (
                "lib/systemd/system",
                "usr/bin/dockerd",
                "usr/bin/docker-init",
                "usr/bin/docker-proxy",
            )
        },
        depends="containerd.io, docker-ce-cli, iptables, libc6 (>= 2.34), "
        "libnftables1 (>= 1.0.2), libsystemd0",
        instead_of="docker.io",
        units=("docker.service", "docker.socket"),
    ),
    Package("docker-ce-cli", {"docker.io": ("usr/bin/docker",)}, instead_of="docker-cli"),
    Package(
        "containerd.io",
        {
            "containerd": ("lib/systemd/system", "usr/bin"),
            "runc": ("usr/sbin/runc", "usr/bin/runc"),
        },
        depends="libc6 (>= 2.34), libseccomp2 (>= 2.5.0)",
        instead_of="containerd, runc",
        units=("containerd.service",),
    ),
    Package("docker-buildx-plugin", {"docker-buildx": (f"{PLUGINS}/docker-buildx",)}),
    Package("docker-compose-plugin", {"docker-compose-v2": (f"{PLUGINS}/docker-compose",)}),
)
CONTROL: Final = """\
Package: {name}
Version: {version}
Architecture: amd64
Maintainer: The bench <bench@slipway.test>
{relations}Description: {name}, as Ubuntu built it
"""
# What Docker's own packages do once they are unpacked: a group, and units that start at boot.
AFTER: Final = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    getent group docker > /dev/null || groupadd --system docker
    for unit in {units}; do
        deb-systemd-helper enable "$unit" > /dev/null
        deb-systemd-invoke start "$unit" > /dev/null
    done
fi
"""


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def unpacked(package: str, work: Path) -> tuple[Path, str]:
    """Fetch one of Ubuntu's packages; return its tree, and its version without Ubuntu's part."""
    run("apt-get", "download", "-qq", f"{package}/{FROM_SUITE}", folder=work)
    file = next(work.glob(f"{package}_*.deb"))
    run("dpkg-deb", "--extract", file, work / package)
    return work / package, run("dpkg-deb", "--field", file, "Version").partition("-")[0].strip()


def relations(package: Package) -> str:
    """Return the fields that name other packages."""
    fields = {"Depends": package.depends}
    fields |= dict.fromkeys(("Conflicts", "Replaces"), package.instead_of)
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def pack(package: Package, trees: dict[str, tuple[Path, str]], work: Path, target: Path) -> None:
    """Make one of Docker's packages in the target folder."""
    root = work / package.name
    for source, paths in package.contents.items():
        for path in paths:
            whole = trees[source][0] / path
            place = root / path
            if whole.is_dir():
                shutil.copytree(whole, place, symlinks=True, dirs_exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(whole, place, follow_symlinks=False)
    control = root / "DEBIAN"
    control.mkdir()
    version = f"5:{trees[next(iter(package.contents))][1]}-1"
    (control / "control").write_text(
        CONTROL.format(name=package.name, version=version, relations=relations(package))
    )
    if package.units:
        (control / "postinst").write_text(AFTER.format(units=" ".join(package.units)))
        (control / "postinst").chmod(0o755)
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, target)


def publish(base: Path) -> None:
    """Make a repository of the packages in its pool: a signed index, and the key."""
    gpg = ("gpg", "--batch", "--passphrase", "")
    run(*gpg, "--quick-generate-key", KEY, "rsa3072", "sign", "never")
    (base / "gpg").write_text(run("gpg", "--armor", "--export"))
    index = base / "dists" / SUITE / "stable" / "binary-amd64"
    index.mkdir(parents=True)
    (index / "Packages").write_text(run("apt-ftparchive", "packages", "pool", folder=base))
    about = {"Origin": "Docker", "Suite": SUITE, "Codename": SUITE}
    about |= {"Components": "stable", "Architectures": "amd64"}
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in about.items()]
    release = index.parents[1] / "Release"
    release.write_text(run("apt-ftparchive", *options, "release", release.parent))
    run("gpg", "--clearsign", "--output", release.with_name("InRelease"), release)


def main(folder: str) -> None:
    """Make the whole site in a folder."""
    work, base = Path("/work"), Path(folder, REPOSITORY)
    work.mkdir()
    (base / "pool").mkdir(parents=True)
    wanted = {name for package in PACKAGES for name in package.contents}
    trees = {name: unpacked(name, work) for name in sorted(wanted)}
    for package in PACKAGES:
        pack(package, trees, work, base / "pool")
    publish(base)


if __name__ == "__main__":
    main(sys.argv[1])
