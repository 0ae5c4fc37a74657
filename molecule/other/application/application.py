"""An application that is nothing like the sample: no Django, no Postgres, no frontend.

Counts visits in a file, takes its time to start, answers on a port and a health path of its own,
and echoes what it is told over a WebSocket.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

PORT = 9000
START_SECONDS = 8
STATE = Path("/state")


def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Answer `/alive`, leave `/echo` to the WebSocket, and count everything else."""
    if request.path == "/echo":
        return None
    if request.path == "/alive":
        return connection.respond(HTTPStatus.OK, "yes")
    visits = STATE / "visits"
    visits.write_text(visits.read_text() + ".")
    text = f"{len(visits.read_text())} visits, token {token()}"
    return connection.respond(HTTPStatus.OK, text)


def token() -> str:
    """Say that the secret arrived, by its length alone."""
    return str(len(Path(os.environ["TOKEN_FILE"]).read_text()))


async def echo(connection: ServerConnection) -> None:
    """Send back each message, with the release that heard it."""
    async for message in connection:
        await connection.send(f"{os.environ['SLIPWAY_RELEASE']} {message!s}")


async def serve_until_told() -> None:
    """Serve until the stop signal, and then close every WebSocket with 1001, going away."""
    # Without pings: what is silent here stays silent on the way to the visitor.
    async with serve(echo, "", PORT, process_request=answer, ping_interval=None) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        await server.wait_closed()


def main(command: str) -> None:
    """Do what the one argument says."""
    if command == "prepare":
        (STATE / "visits").touch()
    elif command == "announce":
        (STATE / "announced").write_text(os.environ["SLIPWAY_RELEASE"])
    elif command == "work":
        while True:
            (STATE / "worker").write_text(str(time.time()))
            time.sleep(1)
    elif command == "serve":
        time.sleep(START_SECONDS)
        asyncio.run(serve_until_told())


if __name__ == "__main__":
    main(sys.argv[1])
