"""The host's Docker Engine: its command line for what changes things, its API for questions."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.together import together

SOCKET = "/var/run/docker.sock"
LOGIN_FILE = Path("/root/.docker/config.json")
ANSWER_SECONDS = 30
PULL_SECONDS = 1800  # a large image over a slow line
DOCKER_HUB = "docker.io"


class EngineError(ReleaseError):
    """The engine refused or did not answer."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


class Engine:
    """Asks and commands one engine. Every method raises EngineError with what the engine said."""

    def run(self, *arguments: str, timeout: float = 120) -> str:
        """Run `docker …` and return its standard output."""
        try:
            done = subprocess.run(
                ["docker", *arguments],
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"'docker {arguments[0]}' did not end within {timeout:.0f} seconds."
            ) from error
        except FileNotFoundError as error:
            raise EngineError("There is no 'docker' command on the host.") from error
        if done.returncode:
            raise EngineError(f"'docker {' '.join(arguments)}' failed: {done.stderr.strip()}")
        return done.stdout

    def compose(self, directory: Path, *arguments: str, timeout: float = 120) -> str:
        """Run `docker compose …` on the compose file in a directory."""
        file = str(directory / "compose.yml")
        return self.run(
            "compose", "--file", file, "--progress", "quiet", *arguments, timeout=timeout
        )

    def create(self, directory: Path, entries: Sequence[str], timeout: float) -> None:
        """Make containers of these entries of the compose file, where there are none yet.

        Nothing that they depend on is made; what is there stays as it is.
        """
        self.compose(
            directory,
            *("up", "--no-start", "--no-deps", "--no-recreate", "--pull", "never", *entries),
            timeout=timeout,
        )

    def listed(self, label: str, value: str) -> list[dict[str, Any]]:
        """List all containers, running or not, that carry a label, as the engine's API does."""
        filters = quote(json.dumps({"label": [f"{label}={value}"]}))
        status, answer = self.ask(f"/containers/json?all=true&filters={filters}")
        if status != http.client.OK:
            raise EngineError(f"The engine does not list the containers of {value}: {answer}")
        found: list[dict[str, Any]] = answer
        return found

    def containers(self, label: str, value: str) -> list[dict[str, Any]]:
        """Inspect all containers, running or not, that carry a label."""
        return self.inspect([one["Id"] for one in self.listed(label, value)])

    def all_networks(self) -> list[dict[str, Any]]:
        """List all networks, as the engine's API does."""
        status, answer = self.ask("/networks")
        if status != http.client.OK:
            raise EngineError(f"The engine does not list its networks: {answer}")
        found: list[dict[str, Any]] = answer
        return found

    def inspect(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Inspect containers by name or id; those that do not exist are left out."""
        answers = [self.ask(f"/containers/{quote(name)}/json") for name in names]
        return [found for status, found in answers if status == http.client.OK]

    def execute(self, name: str, command: Sequence[str], timeout: float) -> str:
        """Run a command in a container; return why it did not end well in time, or nothing."""
        try:
            self.run("exec", name, *command, timeout=timeout)
        except EngineError as error:
            return str(error)
        return ""

    def logs(self, name: str, lines: int = 30) -> str:
        """Return the last lines that a container wrote, both streams together; for messages."""
        try:
            done = subprocess.run(
                ["docker", "logs", "--tail", str(lines), name],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"(its log cannot be read: {error})"
        return done.stdout.strip()

    def has_image(self, reference: str) -> bool:
        """Tell whether an image is on the host."""
        status, _ = self.ask(f"/images/{quote(reference)}/json")
        return status == http.client.OK

    def pull(self, references: Sequence[str]) -> list[str]:
        """Pull the images that are not on the host, side by side; return which these were."""
        missing = [one for one in references if not self.has_image(one)]
        together(
            [partial(self.run, "pull", "--quiet", one, timeout=PULL_SECONDS) for one in missing]
        )
        return missing

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Get a path of the engine's API; return the status and the decoded answer."""
        connection = _Connection("localhost", timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(
                f"The Docker Engine does not answer at {SOCKET} ({error}). "
                f"See 'systemctl status docker' on the host."
            ) from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(body or b"null")
        except ValueError:
            return answer.status, body.decode(errors="replace")

    def platform(self) -> str:
        """Return the engine's platform, such as `linux/amd64`."""
        _, version = self.ask("/version")
        return f"{version['Os']}/{version['Arch']}"

    def resolve(self, reference: str, platform: str) -> str:
        """Return the reference by digest, as the registry knows it now; nothing is pulled.

        A reference that has a digest already is left alone, so that the registry may be down.
        """
        if "@sha256:" in reference:
            return reference
        login = registry_login(reference, LOGIN_FILE)
        status, answer = self.ask(
            f"/distribution/{quote(reference)}/json",
            {"X-Registry-Auth": login} if login else {},
        )
        if status != http.client.OK:
            said = answer.get("message", answer) if isinstance(answer, dict) else answer
            raise EngineError(f"{reference}: {said}")
        platforms = {f"{one['os']}/{one['architecture']}" for one in answer.get("Platforms") or []}
        if platforms and platform not in platforms:
            raise EngineError(
                f"{reference} is built for {', '.join(sorted(platforms))}, "
                f"but the host is {platform}. Build it for the host."
            )
        return f"{repository(reference)}@{answer['Descriptor']['digest']}"


def repository(reference: str) -> str:
    """Cut the tag and the digest off an image reference."""
    name = reference.split("@", 1)[0]
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.split(':', 1)[0]}"


def registry_host(reference: str) -> str:
    """Return the registry that an image reference means; Docker Hub when it names none."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else DOCKER_HUB


def registry_login(reference: str, login_file: Path) -> str | None:
    """Return the engine's header for a registry that the host is logged in to, else None."""
    try:
        logins = json.loads(login_file.read_text()).get("auths", {})
    except (OSError, ValueError):
        return None
    host = registry_host(reference)
    names = [host, "https://index.docker.io/v1/"] if host == DOCKER_HUB else [host]
    for name in names:
        if auth := logins.get(name, {}).get("auth"):
            user, _, password = base64.b64decode(auth).decode().partition(":")
            login = {"username": user, "password": password, "serveraddress": name}
            return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
    return None
