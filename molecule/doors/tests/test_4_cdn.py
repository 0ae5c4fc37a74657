"""Behind a CDN the application knows its visitors, and believes nobody else about them.

The bench's gateway is the CDN here: the tests' own requests come from its address. Whoever asks
from a container beside the host is anybody else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bench.engine import docker
from bench.site import Site

VISITOR = "203.0.113.9"
FORGED = "198.51.100.66"
# Every way in which a visitor may claim to be somebody else, or to have come in another way.
CLAIMS = {
    "X-Forwarded-For": FORGED,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Port": "81",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-Ip": FORGED,
    "X-Client-IP": FORGED,
    "CF-Connecting-IP": FORGED,
    "True-Client-IP": FORGED,
    "Forwarded": f"for={FORGED};proto=http;host=evil.example.com",
}
ASK = """
import json, ssl, sys, urllib.error, urllib.request
address, host, path, headers = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
asked = urllib.request.Request(f"https://{address}{path}", headers={"Host": host, **headers})
try:
    with urllib.request.urlopen(asked, timeout=5, context=context) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""


def address_of(container: str) -> tuple[str, str]:
    """Return the address of a container on the bench's network, and of that network's gateway."""
    networks = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"]
    network = networks["slipway-bench"]
    return network["IPAddress"], network["Gateway"]


@pytest.fixture(scope="module")
def stranger(site: Site) -> Iterator[str]:
    """Return a container beside the host, which is not the CDN."""
    name = "slipway-bench-doors-stranger"
    image = docker("inspect", "--format", "{{.Image}}", site.container).strip()
    docker("rm", "--force", name)
    docker(
        *("run", "--detach", "--name", name, "--label", "io.slipway.bench=1"),
        *("--network", "slipway-bench", "--entrypoint", "sleep", image, "infinity"),
    )
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def asked_by(
    stranger: str, site: Site, path: str = "/api/bench/seen", **headers: str
) -> tuple[int, str]:
    """Have a container ask the host; status 0 says that it got no answer."""
    command = ["python3", "-c", ASK, address_of(site.container)[0], site.domain, path]
    status, text = json.loads(docker("exec", stranger, *command, json.dumps(headers)))
    return status, text


def provision(site: Site, **variables: Any) -> None:
    run = site.environment.playbook("playbooks/site.yml", stack_version="doors", **variables)
    assert run.ok, run.output


def held(seen: dict[str, Any], address: str) -> None:
    """Assert that the application saw the truth, and none of the claims."""
    assert seen["address"] == address
    assert seen["scheme"] == "https"
    assert seen["host"] == "yourdomain.com"
    for name in CLAIMS:
        if name != "X-Forwarded-For":
            assert "evil" not in seen["headers"].get(name, "")
            assert FORGED not in seen["headers"].get(name, "")


def test_without_a_cdn_nobody_is_believed(site: Site, stranger: str) -> None:
    _, gateway = address_of(site.container)
    held(site.visitor().get("/api/bench/seen", headers=CLAIMS).json(), gateway)
    status, text = asked_by(stranger, site, **CLAIMS)
    assert status == 200
    held(json.loads(text), address_of(stranger)[0])


def test_behind_a_cdn_its_visitors_are_known_and_nobody_else_is_believed(
    site: Site, stranger: str
) -> None:
    _, gateway = address_of(site.container)
    provision(site, edge_cdn=[f"{gateway}/32"])
    through = {**CLAIMS, "X-Forwarded-For": f"{FORGED}, {VISITOR}", "X-Forwarded-Proto": "https"}
    held(site.visitor().get("/api/bench/seen", headers=through).json(), VISITOR)
    status, text = asked_by(stranger, site, **CLAIMS)
    assert status == 200
    held(json.loads(text), address_of(stranger)[0])
    insecure = site.visitor().get("/admin/", headers={**through, "X-Forwarded-Proto": "http"})
    assert insecure.headers["Location"].startswith("https://yourdomain.com/")


def test_behind_a_cdn_each_visitor_has_a_rate_limit_of_its_own(site: Site) -> None:
    def statuses(address: str) -> list[int]:
        headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
        ask = site.visitor()
        return [ask.get("/admin/login/", headers=headers).status_code for _ in range(8)]

    assert 429 in statuses("203.0.113.20")
    assert statuses("203.0.113.21")[0] == 200
    # A household of IPv6, whichever address it takes.
    assert 429 in statuses("2001:db8:1:2::1")
    assert statuses("2001:db8:1:2::ffff")[0] == 429
    assert statuses("2001:db8:1:3::1")[0] == 200


def test_behind_a_cdn_staff_pass_a_maintenance_by_their_own_address(
    site: Site, stranger: str
) -> None:
    _, gateway = address_of(site.container)
    run = site.environment.playbook(
        "playbooks/maintenance.yml",
        state="on",
        edge_cdn=[f"{gateway}/32"],
        stack_staff_addresses=["203.0.113.8/30", "2001:db8::7"],
    )
    assert run.ok, run.output
    try:
        for told, status in (
            (VISITOR, 200),
            (f"{FORGED}, {VISITOR}", 200),
            ("2001:db8::7", 200),
            ("203.0.113.12", 503),
            (f"{VISITOR}, {FORGED}", 503),
            ("1203.0.113.9", 503),
        ):
            headers = {"X-Forwarded-For": told, "X-Forwarded-Proto": "https"}
            answer = site.visitor().get("/api/boards/", headers=headers)
            assert answer.status_code == status, told
        status, _ = asked_by(stranger, site, "/api/boards/", **{"X-Forwarded-For": VISITOR})
        assert status == 503
    finally:
        assert site.environment.playbook("playbooks/maintenance.yml", state="off").ok


def test_the_firewall_admits_the_cdn_alone_and_the_roll_goes_on(site: Site, stranger: str) -> None:
    _, gateway = address_of(site.container)
    assert asked_by(stranger, site)[0] == 200
    provision(
        site,
        edge_cdn=[f"{gateway}/32"],
        edge_cdn_only=True,
        stack_environment={"BENCH_TURN": "cdn"},
    )
    assert site.history()[-1]["probe"]["lost"] == 0
    assert asked_by(stranger, site)[0] == 0
    headers = {"X-Forwarded-For": VISITOR, "X-Forwarded-Proto": "https"}
    assert site.visitor().get("/api/boards/", headers=headers).status_code == 200
    provision(site)
    assert asked_by(stranger, site)[0] == 200
