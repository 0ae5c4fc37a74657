"""Run what stands in for Docker's apt repository, under its name on the servers' network."""

from __future__ import annotations

from bench.ca import ensure_certificate
from bench.engine import client, docker, made_from
from bench.names import ARCHIVE, ARCHIVE_NAME, LABEL, NETWORK
from bench.shell import succeeds


def ensure(image: str) -> None:
    """Leave with a repository that answers servers which trust the bench's authority."""
    certificate = ensure_certificate([ARCHIVE_NAME])
    if made_from(ARCHIVE) == image and succeeds([client(), "exec", ARCHIVE, "true"]):
        return
    if made_from(ARCHIVE) is not None:
        docker("rm", "--force", ARCHIVE)
    docker(
        *("run", "--detach", f"--name={ARCHIVE}", f"--label={LABEL}=1"),
        *(f"--network={NETWORK}", f"--network-alias={ARCHIVE_NAME}"),
        *(f"--volume={certificate.parent}:/certificates:ro", "--restart=unless-stopped", image),
    )
