"""The host's Docker Engine: its command line for what changes things, its API for questions."""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.slipway.stack.plugins.module_utils.engine_api import (
    ANSWER_SECONDS,
    EngineError,
    request,
)
from ansible_collections.slipway.stack.plugins.module_utils.together import together

__all__ = ["Engine", "EngineError"]

LOGIN_FILE = Path("/root/.docker/config.json")
REMOVE_SECONDS = 120  # a container's files may be many
PULL_SECONDS = 1800  # a large image over a slow line
DOCKER_HUB = "docker.io"


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

    def runs_as_root(self, reference: str) -> bool:
        """Tell whether an image on the host starts as root unless somebody says otherwise."""
        _, image = self.ask(f"/images/{quote(reference)}/json")
        user = str((image.get("Config") or {}).get("User", ""))
        return user.partition(":")[0] in {"", "0", "root"}

    def pull(self, references: Sequence[str]) -> list[str]:
        """Pull the images that are not on the host, side by side; return which these were."""
        missing = [one for one in references if not self.has_image(one)]
        together(
            [partial(self.run, "pull", "--quiet", one, timeout=PULL_SECONDS) for one in missing]
        )
        return missing

    def tag(self, image: str, name: str) -> None:
        """Give an image that is on the host one more name, `repository:tag`."""
        repository, _, tag = name.rpartition(":")
        self.tell("POST", f"/images/{quote(image)}/tag?repo={quote(repository)}&tag={quote(tag)}")

    def weigh(self, container: str, shares: int) -> None:
        """Set how much processor time a container gets beside others that want it, too."""
        self.tell("POST", f"/containers/{quote(container)}/update", {"CpuShares": shares})

    def start(self, container: str, timeout: float = ANSWER_SECONDS) -> None:
        """Start a container."""
        self.tell("POST", f"/containers/{quote(container)}/start", timeout=timeout)

    def wait(self, container: str, timeout: float) -> int:
        """Wait until a container has ended; return its exit code."""
        ended = self.tell("POST", f"/containers/{quote(container)}/wait", timeout=timeout)
        return int(ended["StatusCode"])

    def stop(self, container: str, timeout: float) -> None:
        """Stop a container with its own signal and grace."""
        self.tell("POST", f"/containers/{quote(container)}/stop", timeout=timeout)

    def remove(self, container: str, *, volumes: bool = False) -> None:
        """Remove a container, running or not, if it is there; with its nameless volumes or not."""
        path = f"/containers/{quote(container)}?force=true&v={int(volumes)}"
        status, answer = request("DELETE", path, timeout=REMOVE_SECONDS)
        if status >= http.client.BAD_REQUEST and status != http.client.NOT_FOUND:
            raise EngineError(f"{container} cannot be removed: {answer}")

    def remove_image(self, name: str) -> None:
        """Take a name from an image, and remove it with its last one."""
        self.tell("DELETE", f"/images/{quote(name)}", timeout=REMOVE_SECONDS)

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Get a path of the engine's API; return the status and the decoded answer."""
        return request("GET", path, headers=headers)

    def tell(
        self, method: str, path: str, body: Any = None, timeout: float = ANSWER_SECONDS
    ) -> Any:
        """Have the engine's API do something; return the decoded answer.

        What is so already (304) is well.
        """
        status, answer = request(method, path, body=body, timeout=timeout)
        if status >= http.client.BAD_REQUEST:
            raise EngineError(answer["message"] if isinstance(answer, dict) else str(answer))
        return answer

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
