"""The ways of replacing a release: each begins with a version and replaces it by another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Protocol

from bench import engine
from bench.peers.rollout import rollout
from bench.peers.server import Server
from bench.shell import BenchError, tail
from bench.soak import DEMO, VARIABLES

AUTHOR: Final = "bench"  # of the notes that the load writes
SERVICES: Final = ("backend", "frontend")
COMPOSE: Final = "compose/compose.yml"
DRAIN: Final = "compose/drain.yml"
STACK: Final = "swarm/stack.yml"
STACK_NAME: Final = "peers"
HOOK: Final = "docker-rollout.pre-stop-hook"
PREPARE: Final = (("migrate", "--noinput"), ("collectstatic", "--noinput"))
GONE_SECONDS: Final = 60
POLL_SECONDS: Final = 0.5


class Way(Protocol):
    """A way of replacing what serves."""

    @property
    def address(self) -> str:
        """Where visitors find it."""

    def begin(self, version: str) -> None:
        """Have this version serve."""

    def replace(self, version: str) -> None:
        """Replace what serves by this version; returns when the operator's command does."""

    def end(self) -> None:
        """Leave nothing behind."""


@dataclass(frozen=True)
class Slipway:
    """The shipped deploy.yml, on the demo's server, with its defaults: its soak is no shorter."""

    @property
    def address(self) -> str:
        """Where visitors find it."""
        return engine.address(DEMO.container)

    def begin(self, version: str) -> None:
        """Have this version serve."""
        self.replace(version)

    def replace(self, version: str) -> None:
        """Deploy it."""
        environment = VARIABLES["stack_environment"]
        run = DEMO.deploy(stack_environment=environment, stack_version=version)
        if not run.ok:
            raise BenchError(f"deploy.yml failed:\n{tail(run.output)}")

    def end(self) -> None:
        """Drop the notes that the load wrote."""
        DEMO.visitor().ask("DELETE", f"/api/bench/written?author={AUTHOR}").raise_for_status()


@dataclass(frozen=True)
class Compose:
    """`docker compose up -d`, which recreates the containers whose image is another one."""

    server: Server
    files: tuple[str, ...] = (COMPOSE,)

    @property
    def address(self) -> str:
        """Where visitors find it."""
        return self.server.address

    def begin(self, version: str) -> None:
        """Have this version serve."""
        self.compose("up", "--detach", "--wait", version=version)
        for command in PREPARE:
            self.compose("exec", "-T", "backend", "python", "manage.py", *command, version=version)

    def replace(self, version: str) -> None:
        """Recreate what is not of this version."""
        self.compose("up", "--detach", version=version)

    def end(self) -> None:
        """Leave nothing behind."""
        self.compose("down", "--volumes", "--timeout=1", version="any")

    def compose(self, *command: str, version: str) -> str:
        """Run Compose on the project, as it is with this version."""
        files = [f"--file={file}" for file in self.files]
        return self.server.run("docker", "compose", *files, *command, VERSION=version)


@dataclass(frozen=True)
class Rollout(Compose):
    """docker-rollout's way: one service after the other, old and new side by side for a while."""

    def replace(self, version: str) -> None:
        """Roll each service."""
        for service in SERVICES:
            rollout(Rolled(self, version), service)


@dataclass(frozen=True)
class Rolled:
    """A project on its way to a version, see bench.peers.rollout.Project."""

    project: Compose
    version: str

    def containers(self, service: str) -> list[str]:
        """Return the ids of the service's running containers."""
        return self.project.compose("ps", "--quiet", service, version=self.version).split()

    def scale(self, service: str, count: int) -> None:
        """Have so many containers, and leave alone those that are there."""
        scale = ("--no-recreate", f"--scale={service}={count}")
        self.project.compose("up", "--detach", *scale, service, version=self.version)

    def is_healthy(self, container: str) -> bool:
        """Ask Docker for the state of its health check."""
        return self._inspect(container, "{{.State.Health.Status}}") == "healthy"

    def run_hook(self, container: str) -> None:
        """Run the label's command, if there is one."""
        hook = self._inspect(container, f'{{{{index .Config.Labels "{HOOK}"}}}}')
        if hook:
            self.project.server.run("docker", "exec", container, "sh", "-c", hook)

    def stop(self, container: str) -> None:
        """Stop it with its own grace period."""
        self.project.server.run("docker", "stop", container)

    def remove(self, container: str) -> None:
        """Remove it."""
        self.project.server.run("docker", "rm", container)

    def _inspect(self, container: str, shown: str) -> str:
        words = ("docker", "inspect", f"--format={shown}", container)
        return self.project.server.run(*words).strip()


@dataclass(frozen=True)
class Swarm:
    """`docker stack deploy`, which starts a new task before it stops the old one."""

    server: Server

    @property
    def address(self) -> str:
        """Where visitors find it."""
        return self.server.address

    def begin(self, version: str) -> None:
        """Have this version serve."""
        self.server.run("docker", "swarm", "init", f"--advertise-addr={self.address}")
        self.replace(version)
        label = f"label=com.docker.swarm.service.name={STACK_NAME}_backend"
        task = self.server.run("docker", "ps", "--quiet", f"--filter={label}").split()[0]
        for command in PREPARE:
            self.server.run("docker", "exec", task, "python", "manage.py", *command)

    def replace(self, version: str) -> None:
        """Update the services, and wait until Swarm has."""
        deploy = ("stack", "deploy", "--detach=false", f"--compose-file={STACK}", STACK_NAME)
        self.server.run("docker", *deploy, VERSION=version)

    def end(self) -> None:
        """Leave nothing behind."""
        self.server.run("docker", "swarm", "leave", "--force")
        bound = time.monotonic() + GONE_SECONDS
        while self.server.run("docker", "ps", "--quiet"):
            if time.monotonic() > bound:
                raise BenchError(f"The stack is not gone within {GONE_SECONDS} s")
            time.sleep(POLL_SECONDS)
        self.server.run("docker", "container", "prune", "--force")
        self.server.run("docker", "volume", "prune", "--all", "--force")


TITLES: Final = {
    "slipway": "Slipway: `deploy.yml`",
    "compose": "`docker compose up -d`, Traefik's Docker provider",
    "rollout": "docker-rollout, Traefik's Docker provider",
    "rollout-drain": "docker-rollout with its documented draining, Traefik's Docker provider",
    "swarm": "`docker stack deploy`, start-first, Traefik's Swarm provider",
}


def made(name: str, server: Server) -> Way:
    """Return a way by its name in TITLES; the peers' lie on this server."""
    ways: dict[str, Way] = {
        "slipway": Slipway(),
        "compose": Compose(server),
        "rollout": Rollout(server),
        "rollout-drain": Rollout(server, (COMPOSE, DRAIN)),
        "swarm": Swarm(server),
    }
    return ways[name]
