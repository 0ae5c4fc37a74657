"""The load's engine against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench import asking, ca
from bench.__main__ import parser
from bench.asking import Asker, Record, Settings
from bench.load import command

DOMAIN = "load.test"
GOOD = b"HTTP/1.1 200 OK\r\nX-Slipway-Release: a\r\nContent-Length: 2\r\n\r\nhi"
Visit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Make an authority that the load trusts; return the context of a server that it signed."""
    authority, key = ca.make_authority(datetime.now(UTC))
    ca.write_pair(authority, key, tmp_path / "ca.crt")
    ca.write_pair(*ca.make_leaf(authority, key, [DOMAIN], datetime.now(UTC)), tmp_path / "leaf.crt")
    monkeypatch.setattr(asking, "AUTHORITY", tmp_path / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.crt", tmp_path / "leaf.key")
    return context


def load(context: ssl.SSLContext, visit: Visit, **settings: object) -> list[Record]:
    """Ask a server that treats each connection so; return what was noted."""

    async def run() -> list[Record]:
        server = await asyncio.start_server(visit, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        given = {"rate": 200, "requests": 40, "mix": "reads", "domain": DOMAIN} | settings
        records: list[Record] = []
        async with server:
            await Asker(Settings(port=port, **given), records.append).run()  # type: ignore[arg-type]
            if visits := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(visits, timeout=5)
        return records

    return asyncio.run(run())


async def question(reader: asyncio.StreamReader) -> bytes:
    """Read one question; nothing when the visitor left."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await question(reader):
        writer.write(GOOD)
    writer.close()


def test_good_answers_half_on_new_connections(trust: ssl.SSLContext) -> None:
    connections: list[int] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        number = len(connections) - 1
        while await question(reader):
            connections[number] += 1
            writer.write(GOOD)
        writer.close()

    records = load(trust, visit, requests=200, rate=400)
    assert [record.lost for record in records] == [""] * 200
    assert sum(record.connection == "new" for record in records) == 100
    assert 100 + asking.KEPT <= len(connections) < 190, "the kept ones are used again"
    assert sum(connections) == 200


def test_late_answer_does_not_delay_the_next_question(trust: ssl.SSLContext) -> None:
    asked: list[float] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await question(reader):
            asked.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.5)
            writer.write(GOOD)
        writer.close()

    records = load(trust, visit, requests=40, rate=200)
    assert not any(record.lost for record in records)
    assert asked[-1] - asked[0] < 0.5, "forty questions were on their way before one answer"


def test_kept_connection_that_was_closed_at_rest_is_not_used_again(
    trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "KEPT", 1)
    connections = 0

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await question(reader)
        writer.write(GOOD)
        writer.close()

    records = load(trust, visit, requests=12, rate=20)
    assert [record.lost for record in records] == [""] * 12
    assert connections == 12


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        (b"", "closed without an answer"),
        (GOOD[:-1], "closed in the middle of the answer"),
        (GOOD.replace(b"200", b"502"), "status 502"),
        (GOOD.replace(b"X-Slipway-Release: a\r\n", b""), "the answer names no release"),
        (
            GOOD.replace(b"2\r\n\r\nhi", b"16\r\n\r\n") + b'{"release": "b"}',
            "b answers in the name of a",
        ),
    ],
)
def test_each_question_without_a_good_answer_is_lost_and_asked_once(
    trust: ssl.SSLContext, said: bytes, lost: str
) -> None:
    count = 0

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += bool(await question(reader))
        writer.write(said)
        writer.close()

    records = load(trust, visit, requests=10)
    assert [record.lost for record in records] == [lost] * 10
    assert count == 10


def test_page_that_answers_in_place_of_the_api_is_a_loss(trust: ssl.SSLContext) -> None:
    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await question(reader):
            writer.write(GOOD.replace(b"200 OK", b"200 OK\r\nContent-Type: text/html"))
        writer.close()

    found = {(record.kind == "page", record.lost) for record in load(trust, visit)}
    assert found == {(True, ""), (False, "a page in place of the API's answer")}


def test_question_without_an_answer_in_time_is_lost(
    trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.2)

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await question(reader)
        await question(reader)
        writer.close()

    records = load(trust, visit, requests=4)
    assert [record.lost for record in records] == ["no answer in 0.2 s"] * 4


def test_server_that_is_not_there_and_certificate_of_another_are_losses(
    trust: ssl.SSLContext,
) -> None:
    records = load(trust, answering, requests=4, address="127.0.0.77")
    assert all("refused" in record.lost for record in records)
    records = load(trust, answering, requests=4, domain="other.test")
    assert all("CERTIFICATE_VERIFY_FAILED" in record.lost for record in records)


def test_own_process_gets_the_same_settings() -> None:
    settings = Settings(port=1, domain="a.test", rate=12.5, requests=3, mix="reads", releases=False)
    given = parser().parse_args(command(settings, Path("/tmp/x"))[3:])  # noqa: S108
    named = {name: getattr(given, name) for name in settings.__dataclass_fields__}
    assert Settings(**named) == settings
    assert given.until_eof
