"""What visitors meet between the door and the application."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
import requests
from bench.browser import browser
from bench.site import Site
from bench.visitor import Visitor
from playwright.sync_api import Page, expect

RELEASE = "X-Slipway-Release"
MEBIBYTE = 1024**2
CONTENT = random.Random(1).randbytes(5 * MEBIBYTE)  # noqa: S311 - no secret
# Asks for a path with so many bytes, as a page's script does: over HTTP/2.
FETCH = """async ([path, bytes]) =>
    (await fetch(path, {method: "POST", body: new Uint8Array(bytes)})).status"""


def uploaded(site: Site, size: int) -> requests.Response:
    return site.visitor().ask("POST", "/api/bench/upload?seconds=0", data=CONTENT[:size])


def pieces(size: int) -> Iterator[bytes]:
    """Give bytes away one piece after the other, so that nobody says how many they are."""
    for at in range(0, size, MEBIBYTE):
        yield CONTENT[at : min(at + MEBIBYTE, size)]


def streamed(site: Site, size: int) -> requests.Response:
    return site.visitor().ask("POST", "/api/bench/upload?seconds=0", data=pieces(size))


# headers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/boards/", "/admin/login/", "/nowhere"])
def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    headers = site.visitor().get(path).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-site"
    assert "Server" not in headers


def test_uploads_keep_the_policy_that_their_server_gives_them(site: Site) -> None:
    site.run("sh", "-c", "echo hello > /srv/slipway/stacks/production/volumes/media/a.txt")
    site.run("chmod", "644", "/srv/slipway/stacks/production/volumes/media/a.txt")
    assert site.visitor().get("/media/a.txt").headers["Content-Security-Policy"] == "sandbox"


@pytest.fixture(scope="module")
def page(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page of a person's browser."""
    with browser(tmp_path_factory.mktemp("browser"), site.domain) as chromium:
        yield chromium.new_page()


def test_the_page_and_the_admin_satisfy_the_policy(site: Site, page: Page) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(site.address)
    page.get_by_role("textbox", name="Note").fill("behind the doors")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("list").get_by_text("behind the doors").first).to_be_visible()
    page.get_by_role("button", name="Activity").click()
    page.wait_for_load_state("networkidle")
    page.goto(f"{site.address}/admin/login/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert told == []


# compression ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_the_application_sends_plain_arrives_compressed(site: Site, encoding: str) -> None:
    def ask(accepted: str) -> requests.Response:
        headers = {"Accept-Encoding": accepted, "X-Large": 20 * "what the application repeats "}
        return site.visitor().get("/api/bench/seen", headers=headers, stream=True)

    answer, plain = ask(encoding), ask("identity")
    assert answer.headers["Content-Encoding"] == encoding
    assert "Content-Encoding" not in plain.headers
    assert len(answer.raw.read(decode_content=False)) < len(plain.content) / 2


def test_files_that_are_compressed_already_arrive_as_they_are(site: Site) -> None:
    text = site.visitor().get("/").text
    script = text.partition('src="')[2].partition('"')[0]
    assert script.startswith("/assets/")
    packed = site.visitor().get(script, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    length = len(packed.raw.read(decode_content=False))
    assert length == int(packed.headers["Content-Length"])
    plain = site.visitor().get(script, headers={"Accept-Encoding": "identity"})
    unpacked = site.visitor().get(script, headers={"Accept-Encoding": "gzip"})
    assert unpacked.content == plain.content


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_that_is_streamed_arrives_while_it_is_made(site: Site, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    begun = time.monotonic()
    with site.visitor().get("/api/bench/stream?seconds=3", headers=headers, stream=True) as answer:
        came = [(time.monotonic() - begun, part) for part in answer.iter_content(None)]
    assert came[0][0] < 1
    assert len([at for at, part in came if part]) > 10
    assert b"".join(part for _, part in came).endswith(b"end\n")


# limits -----------------------------------------------------------------------------------------


def test_a_visitor_who_asks_for_the_login_too_often_is_refused_and_the_rest_serves_on(
    site: Site,
) -> None:
    visitor = site.visitor()
    found = [visitor.get("/admin/login/").status_code for _ in range(12)]
    assert 429 in found
    assert found == sorted(found)
    assert visitor.get("/admin/").status_code == 302
    assert visitor.get("/api/boards/").status_code == 200


@pytest.mark.parametrize(
    ("size", "status"), [(2 * MEBIBYTE, 200), (2 * MEBIBYTE + 1, 413), (5 * MEBIBYTE, 413)]
)
def test_a_body_is_limited(site: Site, size: int, status: int) -> None:
    answer = uploaded(site, size)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["bytes"] == size


@pytest.mark.parametrize(("size", "status"), [(MEBIBYTE, 200), (5 * MEBIBYTE, 413)])
def test_a_body_of_unknown_length_is_limited_and_arrives_whole(
    site: Site, size: int, status: int
) -> None:
    answer = streamed(site, size)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["bytes"] == size


def test_a_body_is_limited_over_http_2_too(page: Page, site: Site) -> None:
    page.goto(site.address)
    version = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert version == "h2"
    path = "/api/bench/upload?seconds=0"
    assert page.evaluate(FETCH, [path, MEBIBYTE]) == 200
    assert page.evaluate(FETCH, [path, 3 * MEBIBYTE]) == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Large": "a" * 40_000}, 431),
        ({"X_Forwarded_Proto": "http"}, 400),
        ({"X-Fine": "a"}, 200),
    ],
)
def test_headers_that_are_too_large_or_alias_others_are_refused(
    site: Site, headers: dict[str, str], status: int
) -> None:
    assert site.visitor().get("/api/boards/", headers=headers).status_code == status


def test_a_path_that_hides_a_slash_is_refused(site: Site) -> None:
    assert site.visitor().get("/api/..%2fadmin").status_code == 400


# other names ------------------------------------------------------------------------------------


def test_www_leads_to_the_apex_with_path_and_query(site: Site) -> None:
    answer = Visitor("www.yourdomain.com", site.port).get("/about?x=1")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://yourdomain.com/about?x=1"


def test_http_leads_to_https(site: Site) -> None:
    answer = requests.get(
        "http://127.0.0.1:8542/about?x=1",
        headers={"Host": site.domain},
        allow_redirects=False,
        timeout=15,
    )
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://yourdomain.com/about?x=1"


# the roll ---------------------------------------------------------------------------------------


def test_a_deploy_s_own_requests_pass_the_rate_limits(site: Site) -> None:
    run = site.deploy(
        stack_version="doors",
        stack_rate_limits={"/": {"requests": 1, "seconds": 60}},
        stack_probe_rate=20,
    )
    assert run.ok, run.output
    probe = site.history()[-1]["probe"]
    assert probe["asked"] > 100
    assert probe["lost"] == 0
    statuses = {site.visitor().get("/version").status_code for _ in range(5)}
    assert 429 in statuses
    run = site.deploy(stack_version="doors")
    assert run.ok, run.output
