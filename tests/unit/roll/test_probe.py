"""The prober, against a real HTTPS server that behaves as each test tells it."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import entrance as entrance_module
from ansible_collections.slipway.stack.plugins.module_utils import probe as probe_module
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.entrance import Connection
from ansible_collections.slipway.stack.plugins.module_utils.losses import ProbeFigures
from ansible_collections.slipway.stack.plugins.module_utils.probe import (
    Entrance,
    Prober,
    Question,
    ask,
)

from tests.unit.roll.visited import NEW, OLD, Site, certificate, serving

PAGE, API = Question("frontend", "/"), Question("backend", "/api/notes")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def site(tls: ssl.SSLContext) -> Iterator[Site]:
    with serving(tls) as one:
        yield one


def prober(site: Site, *, rate: float = 100) -> Prober:
    return Prober(site.entrance, [PAGE, API], rate=rate)


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    bound = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < bound, "it did not come in time"
        time.sleep(0.005)


def probed(one: Prober, count: int) -> ProbeFigures:
    """Let the prober ask at least so much, then end it."""
    one.begin(30)
    until(lambda: one.figures().asked >= count)
    return one.end()


# one question -------------------------------------------------------------------------------------


def test_an_answer_tells_its_status_release_and_time(site: Site) -> None:
    site.behave = lambda _: (200, NEW, 0.05, b"hello")
    answer = ask(site.entrance, "/a?b=c")
    assert (answer.status, answer.release, answer.error) == (200, NEW, "")
    assert 0.05 <= answer.seconds < 2
    assert site.asked[0][0] == "/a?b=c"
    assert site.headers[0]["Host"] == "shop.example.com"
    assert site.headers[0]["User-Agent"] == "slipway-probe"
    assert site.headers[0]["X-Slipway-Probe"] == "tok"


def test_further_headers_choose_the_private_route(site: Site) -> None:
    ask(site.entrance, "/", headers={"X-Slipway-Release": NEW})
    assert site.headers[0]["X-Slipway-Release"] == NEW


def test_an_error_is_an_answer(site: Site) -> None:
    site.behave = lambda _: (503, "", 0, b"nobody there")
    assert dataclasses.replace(ask(site.entrance, "/"), seconds=0) == entrance_module.Answer(
        503, "", 0
    )


def test_a_cut_connection_is_no_answer(site: Site) -> None:
    site.behave = lambda _: (200, OLD, 0, None)
    answer = ask(site.entrance, "/")
    assert (answer.status, answer.release) == (0, "")
    assert answer.error.startswith("no answer (")
    assert len(site.asked) == 1, "it was asked twice"


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = ask(Entrance("127.0.0.1", port, "shop.example.com", "tok"), "/")
    assert "refused" in answer.error


def test_a_late_answer_ends_at_the_bound(site: Site) -> None:
    site.behave = lambda _: (200, OLD, 1, b"late")
    answer = ask(site.entrance, "/", timeout=0.1)
    assert answer.error == "no answer within 0.1 s"
    assert 0.1 <= answer.seconds < 0.5


@pytest.mark.parametrize("first", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_an_answer_that_drips_in_ends_at_the_bound_too(tls: ssl.SSLContext, first: bytes) -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        bare, _ = listener.accept()
        with tls.wrap_socket(bare, server_side=True) as sock:
            sock.recv(9999)
            sock.sendall(first)
            while not stop.wait(0.02):
                try:
                    sock.sendall(b"0")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        entrance = Entrance("127.0.0.1", listener.getsockname()[1], "shop.example.com", "tok")
        answer = ask(entrance, "/", timeout=0.2)
        stop.set()
    assert answer.error == "no answer within 0.2 s"
    assert 0.2 <= answer.seconds < 1


def test_a_server_that_takes_the_connection_and_nothing_else_ends_at_the_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entrance = Entrance("127.0.0.1", silent.getsockname()[1], "shop.example.com", "tok")
        answer = ask(entrance, "/", timeout=0.1)
    assert answer.error == "no answer within 0.1 s"


def test_a_kept_connection_is_used_again(site: Site) -> None:
    connection = Connection(site.entrance)
    assert not connection.usable(), "it is not open yet"
    for _ in range(3):
        ask(site.entrance, "/", connection=connection)
        assert connection.usable()
    assert site.connections == 1
    connection.close()


def test_a_connection_that_the_server_closes_is_not_usable(site: Site) -> None:
    connection = Connection(site.entrance)
    site.idle_timeout = 0.05
    ask(site.entrance, "/", connection=connection)
    until(lambda: not connection.usable())
    site.closing = True
    assert ask(site.entrance, "/", connection=Connection(site.entrance)).error == ""


def test_a_connection_is_not_used_after_its_last_answer(site: Site) -> None:
    site.closing = True
    connection = Connection(site.entrance)
    ask(site.entrance, "/", connection=connection)
    assert not connection.usable()


def test_a_connection_that_idled_too_long_is_not_usable(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(site.entrance)
    ask(site.entrance, "/", connection=connection)
    monkeypatch.setattr(entrance_module, "REUSE_SECONDS", 0)
    assert not connection.usable()
    connection.close()


# the prober ---------------------------------------------------------------------------------------


def test_a_site_that_serves_loses_nothing(site: Site) -> None:
    figures = probed(prober(site), 40)
    assert figures.asked == len(site.asked)
    assert figures.lost == figures.waiting == 0
    assert figures.releases == {OLD: figures.asked}
    assert 0 < figures.slowest < 1
    assert figures.losses == []


def test_questions_alternate_and_half_of_each_come_on_kept_connections(site: Site) -> None:
    figures = probed(prober(site), 40)
    paths = Counter(path for path, _ in site.asked)
    assert abs(paths["/"] - paths["/api/notes"]) <= 1
    for path in ("/", "/api/notes"):
        new = sum(one == path and way == "close" for one, _, way in site.ways)
        assert abs(new - figures.asked / 4) <= 1
    kept = [connection for _, connection, way in site.ways if way != "close"]
    assert len(set(kept)) < len(kept), "none was used again"


def test_it_asks_at_its_rate(site: Site) -> None:
    one = prober(site, rate=50)
    begun = time.monotonic()
    one.begin(30)
    time.sleep(0.5)
    figures = one.end()
    assert figures.asked == pytest.approx((time.monotonic() - begun) * 50, abs=8)


def test_a_rate_of_0_asks_nothing(site: Site) -> None:
    one = prober(site, rate=0)
    one.baseline(1)
    one.begin(30)
    assert one.end() == ProbeFigures()
    assert one.figures().lines() == ["0 requests probed"]
    assert site.asked == []


def test_no_questions_are_none(site: Site) -> None:
    one = Prober(site.entrance, [], rate=10)
    one.begin(30)
    assert one.end() == ProbeFigures()


def test_a_question_that_is_dropped_is_answered_first_and_then_asked_no_more(site: Site) -> None:
    site.behave = lambda path: (200, OLD, 0.3 if path == "/" else 0, b"")
    one = prober(site)
    one.begin(30)
    until(lambda: len(site.asked) >= 10)
    one.turn_to([API])
    site.behave = lambda path: (404 if path == "/" else 200, "" if path == "/" else OLD, 0, b"")
    so_far = Counter(path for path, _ in site.asked)
    until(lambda: len(site.asked) >= 40)
    assert Counter(path for path, _ in site.asked)["/"] == so_far["/"]
    assert one.end().lost == 0


def test_it_waits_while_there_is_nothing_to_ask(site: Site) -> None:
    one = prober(site)
    one.begin(30)
    one.turn_to([])
    begun = len(site.asked)
    time.sleep(0.1)  # ten turns of its rate; that nothing comes has no event to wait for
    assert len(site.asked) == begun
    one.turn_to([PAGE])
    until(lambda: len(site.asked) > begun)
    assert one.end().lost == 0


def test_late_answers_do_not_slow_the_next_question(site: Site) -> None:
    site.behave = lambda _: (200, OLD, 0.4, b"slow")
    one = prober(site)
    one.begin(30)
    until(lambda: one.figures().asked >= 30)
    assert one.figures().waiting >= 20
    figures = one.end()
    assert (figures.lost, figures.waiting) == (0, 0)
    assert figures.slowest >= 0.4


@pytest.mark.parametrize(
    ("behaves", "reason"),
    [
        ((500, NEW, 0, b""), "answered 500"),
        ((502, "", 0, b""), "answered 502"),
        ((404, "", 0, b""), "answered 404, but by no release"),
        ((200, "", 0, b"parked"), "answered 200, but by no release"),
        ((404, NEW, 0, b""), "answered 404, which it did not before"),
        ((200, OLD, 0, None), "no answer ("),
    ],
)
def test_what_is_lost(site: Site, behaves: tuple[int, str, float, bytes], reason: str) -> None:
    one = prober(site)
    one.baseline(0)
    site.behave = lambda _: behaves
    figures = probed(one, 8)
    assert figures.lost == figures.asked
    assert len(figures.losses) == 5
    assert reason in figures.losses[0]
    lines = figures.lines()
    assert lines[0].startswith(f"{figures.asked} requests probed, {figures.lost} lost, slowest ")
    assert lines[-1] == f"and {figures.lost - 5} more"


def test_a_loss_names_the_moment_the_path_and_the_way(site: Site) -> None:
    site.behave = lambda path: (500 if path == "/" else 200, NEW, 0, b"")
    loss = probed(prober(site), 4).losses[0]
    assert loss == "0.0 s after the beginning, / (frontend) on a new connection: answered 500"


@pytest.mark.parametrize(
    "behaves", [(500, OLD, 0, b""), (404, "", 0, b""), (401, OLD, 0, b""), (200, OLD, 0, None)]
)
def test_what_was_so_before_is_not_lost(
    site: Site, behaves: tuple[int, str, float, bytes | None]
) -> None:
    site.behave = lambda path: behaves if path == "/" else (200, OLD, 0, b"")
    one = prober(site)
    one.baseline(0)
    figures = probed(one, 10)
    assert (figures.lost, one.figures().asked) == (0, figures.asked)


def test_what_was_broken_before_in_one_path_is_lost_in_another(site: Site) -> None:
    site.behave = lambda path: (500 if path == "/" else 200, OLD, 0, b"")
    one = prober(site)
    one.baseline(0)
    site.behave = lambda _: (500, NEW, 0, b"")
    figures = probed(one, 10)
    assert abs(figures.lost - figures.asked / 2) <= 1
    assert all("/api/notes" in loss for loss in figures.losses)


def test_the_baseline_is_not_counted_and_asks_each_question_both_ways(site: Site) -> None:
    one = prober(site)
    one.baseline(0)
    assert one.figures() == ProbeFigures()
    assert Counter(path for path, _ in site.asked) == {"/": 6, "/api/notes": 6}
    one.end()


def test_a_refusal_that_nobody_knows_to_be_new_is_not_lost(site: Site) -> None:
    site.behave = lambda _: (404, NEW, 0, b"")
    assert probed(prober(site), 8).lost == 0


def test_after_the_switch_only_the_new_release_may_answer(site: Site) -> None:
    one = prober(site)
    one.expect(NEW)
    figures = probed(one, 8)
    assert figures.lost == figures.asked
    assert f"answered by {OLD} instead of {NEW}" in figures.losses[0]


def test_what_began_before_may_be_answered_by_either(site: Site) -> None:
    site.behave = lambda _: (200, OLD, 0.3, b"")
    one = prober(site)
    one.begin(30)
    until(lambda: len(site.asked) >= 10)
    site.behave = lambda _: (200, NEW, 0, b"")
    until(lambda: len(one.figures().releases) > 0)
    one.expect(NEW)
    figures = one.end()
    assert figures.lost == 0
    assert figures.releases[OLD] >= 10


def test_going_back_loses_nothing_that_began_before(site: Site) -> None:
    one = prober(site)
    one.expect(NEW)
    site.behave = lambda _: (200, OLD, 0.2, b"")
    one.begin(30)
    until(lambda: len(site.asked) >= 3)
    one.expect(None)
    assert one.end().lost == 0


def test_kept_connections_that_the_server_closes_cost_nothing(site: Site) -> None:
    site.idle_timeout = 0.01
    one = prober(site, rate=10)  # a kept connection has idled for far longer at its next turn
    figures = probed(one, 8)
    assert figures.lost == 0
    assert site.connections == figures.asked


def test_a_server_that_says_close_costs_nothing(site: Site) -> None:
    site.closing = True
    figures = probed(prober(site), 30)
    assert figures.lost == 0
    assert site.connections == figures.asked


def test_it_ends_by_its_own_deadline(site: Site) -> None:
    one = prober(site, rate=50)
    one.begin(0.2)
    assert one._driver  # noqa: SLF001 - nobody calls end()
    one._driver.join(2)  # noqa: SLF001
    assert not one._driver.is_alive()  # noqa: SLF001
    until(lambda: one.figures().waiting == 0)
    asked = one.figures().asked
    assert asked == pytest.approx(10, abs=3)
    time.sleep(0.1)
    assert one.figures().asked == asked


def test_the_end_is_bounded_and_counts_what_never_came(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "ANSWER_SECONDS", -0.9)
    site.behave = lambda _: (200, OLD, 0.6, b"")
    one = prober(site)
    one.begin(30)
    until(lambda: one.figures().asked >= 5)
    begun = time.monotonic()
    figures = one.end()
    assert time.monotonic() - begun < 0.6
    assert figures.lost == figures.asked
    time.sleep(0.7)
    assert one.figures() == figures, "a late answer was counted once more"
    assert one.end() == figures


def test_too_many_without_an_answer_are_lost_and_no_more_are_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "MOST_WAITING", 4)
    site.behave = lambda _: (200, OLD, 0.5, b"")
    one = prober(site)
    one.begin(30)
    until(lambda: one.figures().lost >= 5)
    assert one.figures().waiting <= 4
    figures = one.end()
    assert "too many before it" in figures.losses[0]
    assert figures.asked == len(site.asked) + figures.lost


def test_its_own_standstill_is_no_loss(site: Site) -> None:
    seconds = [0.0]

    def pause(_: float) -> None:
        time.sleep(0.001)
        seconds[0] += 60 if seconds[0] == 0 else 0.01

    one = Prober(site.entrance, [PAGE], rate=10, clock=Clock(now=lambda: seconds[0], pause=pause))
    one.begin(61)
    until(lambda: seconds[0] >= 61)
    assert one.end().asked <= 25


def test_recent_questions_say_what_they_took_and_what_waits(site: Site) -> None:
    one = prober(site, rate=50)
    one.baseline(0)
    site.behave = lambda path: (200, NEW, 1 if path == "/" else 0, b"")
    one.begin(30)
    until(lambda: sum(not sample.answered for sample in one.recent(5)) >= 5)
    samples = one.recent(5)
    waiting = [sample for sample in samples if not sample.answered]
    assert {sample.question for sample in waiting[:3]} == {PAGE}
    assert waiting[0].seconds > 0.05
    done = next(sample for sample in samples if sample.answered)
    assert (done.question, done.release, done.fault) == (API, NEW, "")
    assert done.usual is not None
    assert 0 < done.usual < 0.5
    assert one.recent(0.0) == [] or one.recent(0.0)[0].seconds < 0.01
    one.end()
