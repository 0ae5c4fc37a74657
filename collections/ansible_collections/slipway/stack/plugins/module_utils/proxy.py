"""Traefik as the roll sees it: the file that says what serves, and the API that confirms it."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.release import (
    RELEASE_ID,
    ReleaseError,
    write_atomically,
)

API_PORT = 8080
ANSWER_SECONDS = 3
TRAEFIK_LOG = "/var/log/slipway/traefik/traefik.log"
# Traefik runs as this user and group, and reads what the group may read.
TRAEFIK_GROUP = 65532


class Proxy:
    """One slot's Traefik, by the address it has on the door network."""

    def __init__(self, address: str) -> None:
        """Remember where the API answers; nothing is asked yet."""
        self.address = address

    def get(self, path: str) -> Any:
        """Ask the API for JSON; ReleaseError when it does not answer."""
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        """Ask the API for text, such as `/metrics`; ReleaseError when it does not answer."""
        connection = http.client.HTTPConnection(self.address, API_PORT, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ReleaseError(
                f"Traefik's API does not answer at {self.address}:{API_PORT} ({error}). "
                f"See {TRAEFIK_LOG} on the host."
            ) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ReleaseError(f"Traefik's API answered {answer.status} to {path}.")
        return body

    def shows(self, stack: str, services: dict[str, str]) -> bool:
        """Tell whether exactly these routers of the stack exist, each leading to its service."""
        found = [
            router
            for router in self.get("/api/http/routers?per_page=1000")
            if router["name"].endswith("@file") and release_of(stack, router["service"]) is not None
        ]
        return all(router["status"] == "enabled" for router in found) and services == {
            router["name"].removesuffix("@file"): router["service"] for router in found
        }


def release_of(stack: str, service: str) -> str | None:
    """Return the release that a Traefik service name belongs to, or None if not this stack's.

    A service's own name begins with a letter, what follows the id of a longer stack's with a digit.
    """
    found = re.match(rf"{re.escape(stack)}-({RELEASE_ID.pattern})-[a-z]", service)
    return found.group(1) if found else None


def publish_routes(path: Path, text: str) -> None:
    """Replace the dynamic file in one step: before it the old release serves, after it the new one.

    Traefik runs dynamic files through Go's templates and rejects the whole directory when one of
    them fails, so a text with an opening brace pair never gets there.
    """
    if "{{" in text:
        raise ReleaseError(
            f"The routes of this stack hold '{{{{', which Traefik would take for a template. "
            f"Look for it in stack_domain, stack_domain_aliases and the paths in stack_services; "
            f"{path} was left as it is."
        )
    write_atomically(path, text, mode=0o640, group=TRAEFIK_GROUP)
