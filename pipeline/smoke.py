"""Ask an environment's public entry point whether the release that was deployed really answers."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.shell import PipelineError, say, setting

ANSWER_SECONDS = 15
TRIES = 3  # to reach it at all; what it answers counts at once
PAUSE_SECONDS = 2.0
HTTPS_PORT = 443
RELEASE_HEADER = "X-Slipway-Release"


class NewerReleaseError(Exception):
    """A newer release answers: another run has deployed since, and proves that one."""


@dataclass(frozen=True)
class Site:
    """Where to ask: the name of the site, and another address than its own if there is one."""

    domain: str
    host: str
    port: int = HTTPS_PORT
    login: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and the release that answered."""

    status: int
    release: str


def site(domain: str) -> Site:
    """Read the settings: SMOKE_ADDRESS is `host[:port]`, SMOKE_LOGIN is `user:password`."""
    if not domain:
        raise PipelineError("DOMAIN is not set: the deploy says it.")
    host, _, port = setting("SMOKE_ADDRESS", domain).partition(":")
    return Site(domain, host, int(port or HTTPS_PORT), setting("SMOKE_LOGIN", ""))


def smoke(
    expected: Mapping[str, int], where: Site, release: str, ask: Callable[[Site, str], Answer]
) -> None:
    """Ask each path once; PipelineError lists all that did not answer as it should."""
    problems = []
    for path, status in expected.items():
        try:
            found = ask(where, path)
        except OSError as error:
            problems.append(f"{path} does not answer: {error}")
            continue
        if release and found.release > release:
            raise NewerReleaseError(found.release)
        if found.status != status:
            problems.append(f"{path} answered {found.status} instead of {status}")
        elif release and found.release != release:
            problems.append(f"{path} was answered by {found.release or 'no release'}")
        else:
            say(f"  ok {path}: {status}")
    if problems:
        raise PipelineError(
            "\n  - ".join([f"https://{where.domain} does not pass its smoke test:", *problems])
        )


def patiently(where: Site, path: str) -> Answer:
    """Ask, and again if there was no answer at all: the line from here may be at fault."""
    for left in reversed(range(TRIES)):
        try:
            return over_tls(where, path)
        except (OSError, http.client.HTTPException) as error:
            if not left:
                raise OSError(str(error) or type(error).__name__) from error
            time.sleep(PAUSE_SECONDS)
    raise AssertionError


def over_tls(where: Site, path: str) -> Answer:
    """Ask for a path by the site's own name, with a certificate that must fit it."""
    headers = {"User-Agent": "slipway-smoke", "Connection": "close"}
    if where.login:
        headers["Authorization"] = f"Basic {base64.b64encode(where.login.encode()).decode()}"
    plain = socket.create_connection((where.host, where.port), timeout=ANSWER_SECONDS)
    connection = http.client.HTTPSConnection(where.domain, timeout=ANSWER_SECONDS)
    try:
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        connection.sock = context.wrap_socket(plain, server_hostname=where.domain)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return Answer(answer.status, answer.getheader(RELEASE_HEADER, ""))
    finally:
        connection.close()
        plain.close()
