"""A flip of Traefik's slots: who serves when, whatever fails and whoever is killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import door, flip
from ansible_collections.slipway.stack.plugins.module_utils.acme import (
    DEFAULT_CERTIFICATE,
    LOCALHOST,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.slots import Wanted

from tests.unit.edge.host import A6, B6, OWN6, SUBNET_V6, A, B, Host, KilledError, wanted

OTHER = wanted(static="b")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return first(tmp_path, monkeypatch)


def first(root: Path, patch: pytest.MonkeyPatch) -> Host:
    """Build a host on which slot a serves."""
    host = Host(root, patch)
    host.flip(wanted())
    host.moments.clear()
    return host


def assert_alone(host: Host, slot: str) -> None:
    assert host.serving() == slot
    assert list(host.there) == [f"traefik-{slot}"]
    assert host.at_boot() == {slot}
    assert door.recorded() == host.kernel


# well -------------------------------------------------------------------------------------------


def test_first_traefik_starts_in_the_slot_that_the_door_leads_to(host: Host) -> None:
    assert_alone(host, "a")


def test_another_configuration_comes_up_in_the_other_slot_and_then_serves_alone(
    host: Host,
) -> None:
    report = host.flip(OTHER)
    assert_alone(host, "b")
    assert (report.old, report.new) == ("slot a", "slot b")
    assert (host.root / "traefik/b/traefik.yml").read_text() == "b"
    host.flip(wanted())
    assert_alone(host, "a")


def test_what_runs_already_is_left_alone(host: Host) -> None:
    pid = host.there["traefik-a"]["State"]["Pid"]
    host.flip(wanted())
    assert host.there["traefik-a"]["State"]["Pid"] == pid
    assert host.moments == []


def test_a_tag_that_means_another_image_by_now_is_another_version(host: Host) -> None:
    host.images["traefik:v3.7.15"] = "sha256:rebuilt"
    host.flip(wanted())
    assert_alone(host, "b")


def test_a_slot_that_ended_is_started_again_where_it_was(host: Host) -> None:
    host.there["traefik-a"]["State"]["Running"] = False
    host.flip(OTHER)
    assert_alone(host, "a")


def test_the_new_slot_is_on_every_edge_network_before_it_serves(host: Host) -> None:
    host.flip(OTHER)
    networks = host.there["traefik-b"]["NetworkSettings"]["Networks"]
    assert networks["slipway-door"]["ipv4_address"] == B
    assert networks["shop-edge"]["ipv4_address"] == "10.213.4.3"


# IPv6 -------------------------------------------------------------------------------------------


def test_both_families_are_led_to_the_new_slot_in_one_step(host: Host) -> None:
    host.flip(wanted(subnet_v6=SUBNET_V6))
    assert host.kernel == (B, B6)
    assert_alone(host, "b")
    assert host.there["traefik-b"]["NetworkSettings"]["Networks"]["slipway-door"] == {
        "ipv4_address": B,
        "ipv6_address": B6,
        "priority": 1000,
    }
    host.moments.clear()
    host.flip(wanted(subnet_v6=SUBNET_V6, static="b"))
    assert host.kernel == (A, A6)
    assert host.moments.count("load") == 1


def test_ipv6_that_is_switched_off_is_led_nowhere(host: Host) -> None:
    host.flip(wanted(subnet_v6=SUBNET_V6))
    host.flip(wanted())
    assert host.kernel == (A,)
    assert_alone(host, "a")


def test_a_door_that_leads_to_the_new_slot_on_ipv4_alone_leads_to_the_old_one_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.flip(wanted(subnet_v6=SUBNET_V6))
    seen = {OWN6: b"the old one's"}
    monkeypatch.setattr(
        flip, "certificates", lambda address, _: {"x": seen.get(address, b"the new one's")}
    )
    with pytest.raises(ReleaseError, match=rf"(?s)not lead from {OWN6} to .*{A}, {A6}\), so"):
        host.flip(wanted(subnet_v6=SUBNET_V6, static="b"))
    assert host.kernel == (B, B6)
    assert_alone(host, "b")


# the drain --------------------------------------------------------------------------------------


def test_the_old_slot_goes_on_until_its_connections_have_ended(host: Host) -> None:
    host.open[host.there["traefik-a"]["State"]["Pid"]] = host.time.seconds + 40
    report = host.flip(OTHER)
    assert 40 <= report.seconds["drain"] < 40 + 2 * flip.QUIET_SECONDS
    assert host.stopped_open == []


def test_a_connection_that_never_ends_is_waited_for_up_to_the_bound(host: Host) -> None:
    host.open[host.there["traefik-a"]["State"]["Pid"]] = host.time.seconds + 9999
    report = host.flip(OTHER, drain_timeout=60)
    assert 60 <= report.seconds["drain"] < 62
    assert host.stopped_open == ["traefik-a"]


def test_a_connection_of_http_3_is_waited_for_too_and_forgotten_with_its_slot(host: Host) -> None:
    host.http3[A] = host.time.seconds + 40
    report = host.flip(OTHER)
    assert 40 <= report.seconds["drain"] < 40 + 2 * flip.QUIET_SECONDS
    assert host.forgotten[-1] == (A,)


# what does not come up --------------------------------------------------------------------------


def test_an_image_that_cannot_be_pulled_is_refused(host: Host) -> None:
    with pytest.raises(ReleaseError, match=r"(?s)no such image.*Slot a serves as before"):
        host.flip(wanted(image="traefik:v9"))
    assert_alone(host, "a")


def test_a_traefik_that_serves_something_else_never_gets_a_visitor(host: Host) -> None:
    host.bad = "yes"
    said = r"(?s)serves is wrong.*last words.*Slot a serves as before"
    with pytest.raises(ReleaseError, match=said):
        host.flip(OTHER)
    assert_alone(host, "a")
    assert "load" not in host.moments


def test_a_traefik_that_ends_is_told_with_its_last_words(host: Host) -> None:
    host.ends = True
    with pytest.raises(ReleaseError, match=r"(?s)Traefik ended in slot b.*its last words"):
        host.flip(OTHER)
    host.ends = False
    assert_alone(host, "a")


def test_a_door_that_does_not_lead_to_the_new_slot_leads_to_the_old_one_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {A: b"one", B: b"one"}
    monkeypatch.setattr(
        flip, "certificates", lambda address, _: {"x": seen.get(address, b"no answer")}
    )
    with pytest.raises(
        ReleaseError, match=rf"(?s)does not lead from 127.0.0.1 to the new slot.*{A} again"
    ):
        host.flip(OTHER)
    assert_alone(host, "a")


# whoever is killed ------------------------------------------------------------------------------


def test_killed_at_any_step_somebody_serves_and_the_next_run_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = first(tmp_path / "whole", monkeypatch)
    whole.flip(OTHER)
    assert {"compose", "start", "load", "stop", "rm"} <= set(whole.moments)
    for moment in range(len(whole.moments)):
        for target in (OTHER, wanted(), wanted(static="c")):
            host = first(tmp_path / f"{moment}-{target.static}", monkeypatch)
            host.last_moment = moment
            with pytest.raises(KilledError):
                host.flip(OTHER)
            host.last_moment = None
            host.serving()
            host.open[host.there[f"traefik-{host.serving()}"]["State"]["Pid"]] = (
                host.time.seconds + 5
            )
            host.flip(target)
            assert_alone(host, host.serving())
            assert host.stopped_open == []
            found = host.there[f"traefik-{host.serving()}"]["Config"]["Labels"]
            assert found["io.slipway.configuration"] == target.fingerprint


def test_killed_at_any_step_a_reboot_brings_back_the_recorded_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = first(tmp_path / "whole", monkeypatch)
    whole.flip(OTHER)
    for moment in range(len(whole.moments)):
        host = first(tmp_path / str(moment), monkeypatch)
        host.last_moment = moment
        with pytest.raises(KilledError):
            host.flip(OTHER)
        recorded = "a" if door.active_address() == A else "b"
        assert recorded in host.at_boot()


# certificates of a CA ---------------------------------------------------------------------------

ACME = wanted(static="b", acme=True)


def store(host: Host, slot: str) -> Path:
    path = host.root / "traefik" / slot / "acme" / "acme.json"
    path.parent.mkdir(exist_ok=True)
    return path


def test_the_new_slot_starts_with_what_was_issued_and_looks_again_when_it_is_active(
    host: Host,
) -> None:
    store(host, "a").write_text("issued")
    store(host, "b").write_text("of an earlier life")
    host.flip(ACME)
    assert store(host, "b").read_text() == "issued"
    assert '"X-Slipway-Slot": "b"' in (host.root / "traefik/dynamic/slot.yml").read_text()
    mounts = json.loads((host.root / "traefik/b/compose.yml").read_text())
    targets = [one["target"] for one in mounts["services"]["traefik"]["volumes"]]
    assert "/var/lib/traefik" in targets


def test_nothing_of_an_earlier_life_is_left_where_nothing_was_issued(host: Host) -> None:
    store(host, "b").write_text("of an earlier life")
    host.flip(ACME)
    assert not store(host, "b").exists()


def test_what_is_issued_while_the_new_slot_starts_is_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(host, "a").write_text("issued")
    store(host, "b")

    def issued(*_: object) -> str:
        store(host, "a").write_text("issued again")
        return ""

    monkeypatch.setattr(flip, "difference", issued)
    with pytest.raises(ReleaseError, match=r"(?s)was issued while.*Slot a serves as before"):
        host.flip(ACME)
    assert_alone(host, "a")


def shows(monkeypatch: pytest.MonkeyPatch, here: bytes, there: bytes) -> None:
    """Have slot a show one certificate, slot b and then the door another."""
    found = {A: here, B: there}

    def certificates(address: str, _: object) -> dict[str, bytes]:
        return {"x.example.com": found[door.active_address() if address == LOCALHOST else address]}

    monkeypatch.setattr(flip, "certificates", certificates)
    monkeypatch.setattr(flip, "domains", lambda _: ["x.example.com"])


def test_whoever_leaves_a_ca_takes_the_store_away_and_begins_anew(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(monkeypatch, b"of the one CA", DEFAULT_CERTIFICATE)
    host.flip(ACME)
    assert_alone(host, "b")


@pytest.mark.parametrize(
    ("target", "issued", "there"),
    [
        (ACME, "issued", DEFAULT_CERTIFICATE),
        (ACME, "", b"of another CA"),
        (OTHER, "", DEFAULT_CERTIFICATE),
    ],
)
def test_a_certificate_that_was_issued_is_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch, target: Wanted, issued: str, there: bytes
) -> None:
    store(host, "b")
    if issued:
        store(host, "a").write_text(issued)
    shows(monkeypatch, b"of the one CA", there)
    with pytest.raises(ReleaseError, match=r"another certificate than slot a, for x\.example\.com"):
        host.flip(target)
    assert_alone(host, "a")


def test_the_door_is_asked_for_what_the_new_slot_shows_by_now(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = iter([b"issued"] * 9)
    shown = {A: DEFAULT_CERTIFICATE, B: DEFAULT_CERTIFICATE}

    def certificates(address: str, _: object) -> dict[str, bytes]:
        if door.active_address() == B:
            shown[B] = next(issued)
        return {"x.example.com": shown[B if address == LOCALHOST else address]}

    monkeypatch.setattr(flip, "certificates", certificates)
    host.flip(ACME)
    assert_alone(host, "b")


def test_credentials_of_before_are_gone_when_the_flip_has_ended(host: Host) -> None:
    for name in ("before", "now"):
        (host.root / "traefik/credentials" / name).mkdir(parents=True)
    host.flip(wanted(static="b", credentials="now"))
    assert [one.name for one in (host.root / "traefik/credentials").iterdir()] == ["now"]


def test_credentials_of_the_slot_that_serves_stay_when_a_flip_fails(host: Host) -> None:
    host.flip(wanted(credentials="before"))
    for name in ("before", "now"):
        (host.root / "traefik/credentials" / name).mkdir(parents=True)
    host.bad = "yes"
    with pytest.raises(ReleaseError):
        host.flip(wanted(credentials="now"))
    assert (host.root / "traefik/credentials/before").exists()


def test_without_a_ca_a_flip_touches_no_dynamic_file(host: Host) -> None:
    host.flip(OTHER)
    assert list((host.root / "traefik/dynamic").iterdir()) == []
