"""WebSockets that are open while a new release takes over."""

from __future__ import annotations

import socket
import ssl
import time
from functools import partial
from itertools import pairwise

from bench.ca import AUTHORITY
from bench.site import Beside, Site
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

RELEASE = "X-Slipway-Release"
DRAIN_SECONDS = 6
ANSWER_SECONDS = 2
# The application ends as soon as it is told; the engine would kill it after 30.
STOP_SECONDS = 10


def opened(site: Site) -> ClientConnection:
    """Open a WebSocket that is silent unless somebody speaks."""
    return connect(
        f"wss://{site.domain}/echo",
        sock=socket.create_connection(("127.0.0.1", site.port), ANSWER_SECONDS),
        ssl=ssl.create_default_context(cafile=str(AUTHORITY)),
        server_hostname=site.domain,
        ping_interval=None,
    )


def says(line: ClientConnection) -> str:
    """Say something, and return which release heard it."""
    line.send("hello")
    release, _, heard = str(line.recv(ANSWER_SECONDS)).partition(" ")
    assert heard == "hello"
    return release


def talk(line: ClientConnection) -> list[tuple[float, str]]:
    """Speak ten times a second until the line is closed; return when it was heard, and by whom."""
    heard = []
    while True:
        try:
            heard.append((time.time(), says(line)))
        except ConnectionClosed:
            return heard
        time.sleep(0.1)


def test_open_websocket_serves_on_to_the_drain_bound_and_its_client_then_meets_the_new_release(
    site: Site,
) -> None:
    old = site.visitor().get("/").headers[RELEASE]
    change = partial(
        site.deploy, stack_environment={"FOLLOWS": old}, stack_drain_timeout=DRAIN_SECONDS
    )
    with opened(site) as busy, opened(site) as silent:
        assert says(busy) == old
        with Beside(site, change) as deploy:
            deploy.wait("confirm", "end")
            new = site.visitor().get("/").headers[RELEASE]
            with opened(site) as fresh:
                assert says(fresh) == new != old
            heard = talk(busy)
            closed = time.time()
            with opened(site) as again:
                assert says(again) == new
        assert deploy.run.ok, deploy.run.output
        silent.recv_events_thread.join(ANSWER_SECONDS)
        assert busy.close_code == silent.close_code == CloseCode.GOING_AWAY
    assert {release for _, release in heard} == {old}
    assert max(later - earlier for (earlier, _), (later, _) in pairwise(heard)) < ANSWER_SECONDS
    progress = site.progress()
    assert progress.when("drain", "end") - progress.when("drain", "begin") >= DRAIN_SECONDS
    # Only an application that was told to end, and still lives, says that it goes away.
    assert progress.when("drain", "end") <= closed
    assert progress.when("stop", "end") - progress.when("stop", "begin") < STOP_SECONDS
