"""What a comparison counts, waits for, prints and refuses, from figures made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from bench import demo, engine
from bench.asking import Record
from bench.peers import measure, plots, run
from bench.peers.measure import Measured, Roll, Size, serves, wait_for
from bench.peers.report import HEAD, kind, page, row, table
from bench.peers.server import Server
from bench.peers.ways import COMPOSE, DRAIN, TITLES, Compose, Rollout, Slipway, Swarm, made
from bench.shell import BenchError
from bench.visitor import Visitor


def record(at: float, lost: str = "", seconds: float = 0.01) -> Record:
    return Record(at, at, seconds, "page", "new", 200, "", lost)


def compared(way: str, *lost: Record) -> Measured:
    """Return a load of twenty seconds with two replacements, and what it lost."""
    records = sorted([*(record(100 + second) for second in range(20)), *lost])
    return Measured(way, records, [Roll("2", 105, 109), Roll("1", 113, 119)])


def test_replacement_is_clean_when_nothing_was_lost_until_the_next_begins() -> None:
    assert compared("slipway").clean == 2
    assert compared("slipway", record(112.9, "status 502")).clean == 1
    assert compared("slipway", record(106, "x"), record(140, "x")).clean == 0


@pytest.mark.parametrize("size", [{"rolls": 0}, {"rate": 0.0}, {"rate": -1.0}])
def test_size_that_measures_nothing_is_refused(size: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="measures nothing"):
        Size(**size)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[str]], list[str]]:
    """Have these versions answer, one after the other; return where they are noted."""
    monkeypatch.setattr(measure, "POLL_SECONDS", 0)

    def given(versions: Iterator[str]) -> list[str]:
        seen: list[str] = []

        def answer(_: Visitor) -> str:
            seen.append(next(versions))
            return seen[-1]

        monkeypatch.setattr(measure, "serves", answer)
        return seen

    return given


NOBODY = cast(Visitor, None)


def test_version_serves_once_it_has_answered_ten_times_in_a_row(
    answers: Callable[[Iterator[str]], list[str]],
) -> None:
    told = ["1", *["2"] * 9, "1", *["2"] * 5, "", *["2"] * 10]
    seen = answers(iter([*told, "1"]))
    wait_for(NOBODY, "2")
    assert seen == told


def test_version_that_never_serves_is_an_error(
    answers: Callable[[Iterator[str]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SERVES_SECONDS", 0.01)
    answers(iter(lambda: "1", "2"))
    with pytest.raises(BenchError, match="2 does not serve"):
        wait_for(NOBODY, "2")


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [(200, b'{"version": "2"}', "2"), (502, b"Bad Gateway", ""), (200, b"<html>", "")],
)
def test_no_version_serves_without_a_good_answer(status: int, body: bytes, wanted: str) -> None:
    class Fake:
        def get(self, _: str) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer._content = status, body  # noqa: SLF001
            return answer

    assert serves(cast(Visitor, Fake())) == wanted


@pytest.mark.parametrize(
    ("lost", "shown"),
    [
        ("status 502", "502"),
        ("connect: [Errno 111] Connection refused", "connect"),
        ("no answer in 15 s", "no answer in 15 s"),
    ],
)
def test_losses_are_told_apart_by_their_kind_alone(lost: str, shown: str) -> None:
    assert kind(lost) == shown


def test_row_counts_losses_by_kind_and_takes_latencies_of_the_answered() -> None:
    lost = [record(106 + n / 10, f"status {502 if n < 2 else 404}", 9) for n in range(3)]
    cells = [cell.strip() for cell in row(compared("rollout", *lost)).strip("|").split("|")]
    assert cells == [
        *(TITLES["rollout"], "23", "3", "2 x 502, 1 x 404", "1 of 2"),
        *("10", "10", "10", "5"),
    ]


def test_table_has_a_row_for_each_way_below_its_head() -> None:
    lines = table([compared("slipway"), compared("swarm")]).splitlines()
    assert lines[:2] == HEAD.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        f"| {TITLES[name]}" for name in ("slipway", "swarm")
    ]
    assert {line.count("|") for line in lines} == {10}


def test_page_names_the_command_to_repeat_it_and_what_it_was_measured_on() -> None:
    text = page([compared("slipway")], Size(rolls=2), "make bench", {"Traefik": "3.7"})
    for said in ("`make bench`", "2 each", "200 requests a second", "Traefik 3.7", "failures.svg"):
        assert said in text


def test_ways_are_chosen_by_their_names_in_the_order_given() -> None:
    assert run.chosen("swarm,compose") == ["swarm", "compose"]
    assert run.chosen(",".join(TITLES)) == list(TITLES)


@pytest.mark.parametrize("names", ["compose,kamal", "", "compose,"])
def test_unknown_way_is_refused_before_anything_starts(
    names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "servers", lambda _: pytest.fail("it started"))
    with pytest.raises(BenchError, match="choose from slipway,compose"):
        run.run(names, Size(), "")


def test_what_was_made_for_a_comparison_goes_when_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there: list[str] = []

    class Fake:
        name = "peers"

        def make(self) -> None:
            there.append("server")

        def remove(self) -> None:
            there.remove("server")

    monkeypatch.setattr(run, "Server", Fake)
    monkeypatch.setattr(engine, "answers", lambda: False)
    monkeypatch.setattr(demo, "up", lambda: there.append("demo"))
    monkeypatch.setattr(demo, "down", lambda: there.remove("demo"))
    monkeypatch.setattr(demo, "publish", lambda *_, **__: None)
    monkeypatch.setattr(run, "supply", lambda _: None)

    def interrupted() -> None:
        with run.servers(["slipway", "compose"]):
            assert there == ["demo", "server"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert there == []


def test_each_way_is_made_by_its_name() -> None:
    server = Server()
    assert {name: made(name, server) for name in TITLES} == {
        "slipway": Slipway(),
        "compose": Compose(server),
        "rollout": Rollout(server),
        "rollout-drain": Rollout(server, (COMPOSE, DRAIN)),
        "swarm": Swarm(server),
    }


def drawn(folder: Path, *all_measured: Measured) -> dict[str, str]:
    plots.draw(all_measured, folder)
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_plots_differ_only_where_the_figures_do(tmp_path: Path) -> None:
    calm = drawn(tmp_path, compared("slipway"), compared("swarm"))
    assert sorted(calm) == ["failures.svg", "latency.svg"]
    assert drawn(tmp_path, compared("slipway"), compared("swarm")) == calm
    lossy = drawn(tmp_path, compared("slipway"), compared("swarm", record(106, "status 502")))
    assert lossy["latency.svg"] == calm["latency.svg"]
    assert lossy["failures.svg"] != calm["failures.svg"]


def test_plot_is_opaque_and_carries_its_titles_as_text(tmp_path: Path) -> None:
    for svg in drawn(tmp_path, compared("compose")).values():
        assert "fill: #ffffff" in svg
        assert ">docker compose up -d, Traefik's Docker provider</text>" in svg
