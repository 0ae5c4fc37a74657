"""The bare server of the peers, with an engine of its own, and what they run there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from bench import application, builder, ca, demo, engine, images
from bench.builder import archive
from bench.engine import docker
from bench.names import PREFIX, REGISTRY_NAME, ROOT, STATE
from bench.soak import VARIABLES

NAME: Final = f"{PREFIX}-peers"
SOURCE: Final = ROOT / "bench"
TARGET: Final = "/srv/bench"
# Secrets too, so a file and no arguments.
ENVIRONMENT: Final = STATE / "peers.env"
REPOSITORY: Final = f"{REGISTRY_NAME}/{application.SOURCE.name}"
STOOD_FOR: Final = {one.name: one.stands_for or "" for one in images.RECIPES}


def drawn() -> dict[str, str]:
    """Return what the peers' files ask for; the secrets are drawn anew."""
    return {
        "TRAEFIK_IMAGE": STOOD_FOR["traefik"],
        "POSTGRES_IMAGE": STOOD_FOR["postgres"],
        "REGISTRY": REPOSITORY,
        "DOMAIN": demo.DOMAIN,
        "DATABASE_PASSWORD": secrets.token_hex(16),
        "DJANGO_SECRET_KEY": secrets.token_hex(32),
        **VARIABLES["stack_environment"],
    }


@dataclass(frozen=True)
class Server:
    """A server made for the peers; its commands see what ENVIRONMENT says."""

    name: str = NAME

    def make(self) -> None:
        """Make it anew, with the peers' files and the bench's certificate."""
        self.remove()
        made = demo.prepare([[demo.DOMAIN]])
        builder.ensure(made["builder"], mirror=images.source() == "built", name=self.name)
        certificate = ca.ensure_certificate([demo.DOMAIN])
        pair = {
            f"site{file.suffix}": file.read_bytes()
            for file in (certificate, certificate.with_suffix(".key"))
        }
        docker("exec", self.name, "mkdir", "--parents", TARGET)
        docker("cp", "-", f"{self.name}:{TARGET}", data=application.pack(SOURCE))
        docker("cp", "-", f"{self.name}:{TARGET}/traefik", data=archive(pair))
        ENVIRONMENT.touch(mode=0o600)
        ENVIRONMENT.write_text("".join(f"{name}={value}\n" for name, value in drawn().items()))

    def remove(self) -> None:
        """Remove it with all that it holds, if it is there."""
        ENVIRONMENT.unlink(missing_ok=True)
        if engine.exists("container", self.name):
            docker("rm", "--force", self.name)
        if engine.exists("volume", self.name):
            docker("volume", "rm", self.name)

    def run(self, *command: str, **more: str) -> str:
        """Run a command on it, in the folder of the peers' files; return what it wrote."""
        given = [f"--env-file={ENVIRONMENT}", *(f"--env={key}={more[key]}" for key in more)]
        return docker("exec", f"--workdir={TARGET}", *given, self.name, *command, log="peers")

    @property
    def address(self) -> str:
        """Its address on the bench's network."""
        return engine.address(self.name)
