"""The Docker Engine's API over its socket: one question, one answer, no process of its own."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

SOCKET = "/var/run/docker.sock"
ANSWER_SECONDS = 30


class EngineError(ReleaseError):
    """The engine refused or did not answer."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def request(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = ANSWER_SECONDS,
) -> tuple[int, Any]:
    """Return the status and the decoded answer; EngineError when there is none in `timeout` s.

    A body is sent as JSON.
    """
    sent = {} if body is None else {"Content-Type": "application/json"}
    connection = _Connection("localhost", timeout=timeout)
    try:
        connection.request(
            method, path, None if body is None else json.dumps(body), {**sent, **(headers or {})}
        )
        answer = connection.getresponse()
        text = answer.read()
    except TimeoutError as error:
        what = path.partition("?")[0]
        raise EngineError(f"'{method} {what}' did not end within {timeout:.0f} seconds.") from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(
            f"The Docker Engine does not answer at {SOCKET} ({error}). "
            f"See 'systemctl status docker' on the host."
        ) from error
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text or b"null")
    except ValueError:
        return answer.status, text.decode(errors="replace")
