"""What takes long and is under way when a new release takes over: answers, streams, uploads."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests
from bench.playbooks import Run
from bench.site import VERSIONS, Beside, Site

RELEASE = "X-Slipway-Release"
CONTENT = random.Random(1).randbytes(4 * 1024 * 1024)  # noqa: S311 - no secret
DROP, PAUSE = 4096, 0.1  # of a slow upload: bytes, and the seconds between them
# Longer than from the workers' start to the confirmed switch, much shorter than soak and drain.
SECONDS = 10
STEPS_A_SECOND = 10  # of the stream in the overlay `load`
# At the bound: longer than from there to the end of drain and stop.
TOO_LONG = 30
DRAIN_SECONDS = 2
STOP_SECONDS = 10  # the old release's stop_timeout, which is its inventory's drain


class Drops:
    """An upload of a known length that comes slowly, and at once what is left when told so."""

    def __init__(self) -> None:
        """Begin slowly."""
        self.rest = threading.Event()

    def __len__(self) -> int:
        """Return its bytes, whenever they come."""
        return len(CONTENT)

    def __iter__(self) -> Iterator[bytes]:
        """Give it away drop by drop."""
        for at in range(0, len(CONTENT), DROP):
            yield CONTENT[at : at + DROP]
            self.rest.wait(PAUSE)

    def sent(self, site: Site) -> requests.Response:
        """Upload it."""
        return site.visitor().ask("POST", "/api/bench/upload?seconds=0", data=self)


class Stream:
    """An answer that comes line by line."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.release, self.text, self.until = "", b"", 0.0

    def read(self, site: Site, seconds: float) -> None:
        """Read it to its end, or raise what cut it."""
        path = f"/api/bench/stream?seconds={seconds}"
        with site.visitor().get(path, stream=True) as answer:
            self.release = answer.headers[RELEASE]
            for part in answer.iter_content(None):
                self.text += part
                self.until = time.time()


def lines(release: str, seconds: int) -> bytes:
    """Return what a release streams in so many seconds."""
    numbered = [f"{number} {release}\n" for number in range(seconds * STEPS_A_SECOND)]
    return "".join([*numbered, "end\n"]).encode()


def change(site: Site, **variables: Any) -> Run:
    """Deploy the same images with another environment."""
    environment = {"BENCH_TURN": site.serves()["release"]}
    return site.deploy(stack_version=VERSIONS[0], stack_environment=environment, **variables)


def assert_whole(upload: requests.Response, release: str) -> None:
    """Assert that this release got all of an upload, byte by byte."""
    assert upload.headers[RELEASE] == release
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert upload.json() == {"release": release, "bytes": len(CONTENT), "sha256": digest}


@pytest.fixture
def old(site: Site) -> str:
    """Return the release that serves; it takes as long as it is asked to."""
    if site.serves()["version"] != VERSIONS[0]:
        run = site.deploy(stack_version=VERSIONS[0])
        assert run.ok, run.output
    return site.serves()["release"]


def test_what_began_before_the_switch_ends_whole_at_the_old_release_while_the_new_one_answers(
    site: Site, old: str
) -> None:
    drops, stream = Drops(), Stream()
    with Beside(site, partial(change, site)) as deploy, ThreadPoolExecutor(3) as pool:
        try:
            deploy.wait("workers", "begin")
            late = pool.submit(site.visitor().get, f"/api/bench/slow?seconds={SECONDS}")
            read = pool.submit(stream.read, site, SECONDS)
            upload = pool.submit(drops.sent, site)
            deploy.wait("confirm", "end")
            new = site.serves()["release"]
            under_way = [not one.done() for one in (late, read, upload)]
        finally:
            drops.rest.set()
    assert deploy.run.ok, deploy.run.output
    assert new != old
    assert under_way == [True] * 3, "they were to outlast the switch"
    assert late.result().json() == {"release": old, "seconds": SECONDS}
    read.result()
    assert (stream.release, stream.text) == (old, lines(old, SECONDS))
    assert_whole(upload.result(), old)


def test_what_is_open_at_the_drain_bound_may_end_until_the_stop_does_and_longer_ones_are_cut(
    site: Site, old: str
) -> None:
    drops, stream = Drops(), Stream()
    work = partial(change, site, stack_drain_timeout=DRAIN_SECONDS)
    with Beside(site, work) as deploy, ThreadPoolExecutor(2) as pool:
        try:
            deploy.wait("workers", "begin")
            read = pool.submit(stream.read, site, TOO_LONG)
            upload = pool.submit(drops.sent, site)
            deploy.wait("stop", "begin")
            time.sleep(1)  # by then the old release has been told
        finally:
            drops.rest.set()
    assert deploy.run.ok, deploy.run.output
    assert site.serves()["release"] != old
    assert_whole(upload.result(), old)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read.result()
    assert lines(old, TOO_LONG).startswith(stream.text)
    progress = site.progress()
    drained, stopped = progress.when("drain", "end"), progress.when("stop", "end")
    assert drained - progress.when("drain", "begin") >= DRAIN_SECONDS
    assert drained < stream.until < stopped < drained + STOP_SECONDS
