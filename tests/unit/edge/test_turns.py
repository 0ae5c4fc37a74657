"""Flips, rolls and provisioning at the same time; and what a provisioning finds to do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import door, launch, unit
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.flip import FlipJob
from ansible_collections.slipway.stack.plugins.module_utils.job import JobDirectory, put_job
from ansible_collections.slipway.stack.plugins.module_utils.kernel_lock import Holder
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    StackBusyError,
    holding,
    holding_slots,
    sharing_slots,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.modules import edge_join, traefik_slot

from tests.unit.edge.host import SUBNET, SUBNET_V6, Api, Host, wanted

FLIP = Holder("change of Traefik", who="ada")
DEPLOY = Holder("deploy", who="bob")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, monkeypatch)
    host.flip(wanted())
    monkeypatch.setattr(traefik_slot, "Proxy", Api)
    return host


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[JobDirectory]:
    """Note which processes were started, and start none."""
    found: list[JobDirectory] = []
    monkeypatch.setattr(launch, "start", lambda place, *_: found.append(place))
    return found


def job(host: Host, **changes: Any) -> FlipJob:
    return FlipJob(str(host.root), SUBNET, wanted(**changes), 60, 0, 0)


def quick(**others: Any) -> dict[str, Any]:
    return {"wait": 0, "clock": Clock(), "progress": lambda _: None, **others}


# turns ------------------------------------------------------------------------------------------


def test_no_deploy_begins_during_a_flip_and_it_says_whose(tmp_path: Path) -> None:
    directory = StackDirectory(tmp_path, "shop")
    directory.root.mkdir(parents=True)
    with (
        holding_slots(tmp_path / "stacks", FLIP, **quick()),
        pytest.raises(StackBusyError, match="the change of Traefik by ada"),
        holding(directory, DEPLOY, **quick()),
    ):
        pass
    with holding(directory, DEPLOY, **quick()):
        pass


def test_no_flip_begins_during_a_deploy_and_it_says_whose(tmp_path: Path) -> None:
    directory = StackDirectory(tmp_path, "shop")
    directory.root.mkdir(parents=True)
    with (
        holding(directory, DEPLOY, **quick()),
        pytest.raises(ReleaseError, match="slots are busy: the deploy of the stack 'shop' by bob"),
        holding_slots(tmp_path / "stacks", FLIP, **quick()),
    ):
        pass


def test_deploys_of_two_stacks_run_beside_each_other(tmp_path: Path) -> None:
    one, two = StackDirectory(tmp_path, "one"), StackDirectory(tmp_path, "two")
    for directory in (one, two):
        directory.root.mkdir(parents=True)
    with holding(one, DEPLOY, **quick()), holding(two, DEPLOY, **quick()):
        pass


# what there is to do ----------------------------------------------------------------------------


def test_what_runs_as_wanted_changes_nothing(host: Host, started: list[JobDirectory]) -> None:
    assert traefik_slot.done(job(host), host) == {"changed": False}
    assert not traefik_slot.checked(job(host), host)["changed"]
    assert started == []


def test_what_differs_is_shown_and_started(host: Host, started: list[JobDirectory]) -> None:
    checked = traefik_slot.checked(job(host, static="b"), host)
    assert checked["changed"]
    assert (checked["diff"]["before"][:1], checked["diff"]["after"][:1]) == ("a", "b")
    assert started == []
    answer = traefik_slot.done(job(host, static="b"), host)
    assert (answer["changed"], answer["under_way"]) == (True, False)
    (place,) = started
    assert FlipJob.from_mapping(place.content()) == job(host, static="b")


def given(host: Host) -> dict[str, Any]:
    """Return what the role passes to the module."""
    return {
        "host_directory": str(host.root),
        "subnet": SUBNET,
        "subnet_v6": SUBNET_V6,
        "image": "traefik:v3.7.15",
        "memory": "512m",
        "cpus": 1.0,
        "grace": 30,
        "static": "a",
        "acme": True,
        "environment": {"A": "b"},
        "credentials": "",
        "drain_timeout": 60,
        "probe_rate": 0,
        "lock_wait": 0,
        "who": "ada",
        "run": "",
    }


def test_all_that_the_role_passes_is_in_what_is_wanted(host: Host) -> None:
    (host.root / "key").write_bytes(b"of the host")
    asked = given(host)
    found = asdict(traefik_slot.job_of(asked, {}).wanted)
    assert found == {name: asked[name] for name in found}


def test_credentials_change_what_is_wanted_and_show_up_nowhere(
    host: Host, started: list[JobDirectory]
) -> None:
    (host.root / "key").write_bytes(b"of the host")
    secret = {"CF_DNS_API_TOKEN": "correct-horse"}
    one, other = (
        traefik_slot.job_of(given(host), values)
        for values in (secret, {"CF_DNS_API_TOKEN": "battery-staple"})
    )
    assert one.wanted.fingerprint != other.wanted.fingerprint
    assert one.wanted.environment == {
        "A": "b",
        "CF_DNS_API_TOKEN_FILE": "/run/credentials/CF_DNS_API_TOKEN",
    }
    answer = traefik_slot.done(one, host)
    shown = answer["diff"]["after"]
    assert "# environment: CF_DNS_API_TOKEN_FILE=/run/credentials/CF_DNS_API_TOKEN\n" in shown
    assert f"# credentials: {one.wanted.credentials}\n" in shown
    (place,) = started
    assert "correct-horse" not in str(answer) + (place.path / "job.json").read_text()


def test_a_check_of_a_host_that_has_no_key_yet_needs_none(host: Host) -> None:
    door.RECORD.unlink()
    job = traefik_slot.job_of(given(host), {"CF_DNS_API_TOKEN": "correct-horse"})
    assert traefik_slot.checked(job, host)["changed"]


def test_credentials_that_a_killed_flip_left_are_gone_with_the_next_provisioning(
    host: Host,
) -> None:
    (host.root / "traefik/credentials/left").mkdir(parents=True)
    assert traefik_slot.done(job(host), host) == {"changed": False}
    assert list((host.root / "traefik/credentials").iterdir()) == []


def test_a_flip_that_is_under_way_is_followed_first(
    host: Host, started: list[JobDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put_job(host.root / "traefik/jobs", {})
    monkeypatch.setattr(unit, "alive", lambda *_: True)
    answer = traefik_slot.done(job(host, static="b"), host)
    assert answer["under_way"]
    assert str(place.path) in answer["follower"]
    assert started == []


def test_another_stack_s_edge_network_is_joined_without_a_flip(
    host: Host, started: list[JobDirectory]
) -> None:
    subnet = {"Config": [{"Subnet": "10.9.4.0/24"}]}
    host.networks.append({**host.networks[0], "Name": "late-edge", "IPAM": subnet})
    pid = host.there["traefik-a"]["State"]["Pid"]
    assert traefik_slot.checked(job(host), host)["changed"]
    assert traefik_slot.done(job(host), host) == {"changed": True}
    assert traefik_slot.done(job(host), host) == {"changed": False}
    joined = host.there["traefik-a"]["NetworkSettings"]["Networks"]["late-edge"]
    assert joined == {"IPAddress": "10.9.4.2"}
    assert host.there["traefik-a"]["State"]["Pid"] == pid
    assert started == []


def test_what_an_earlier_flip_left_is_finished(host: Host, started: list[JobDirectory]) -> None:
    host.kernel = ("10.213.0.3",)
    assert traefik_slot.checked(job(host), host)["changed"]
    assert traefik_slot.done(job(host), host)["changed"]
    assert len(started) == 1


def test_a_check_of_a_host_that_knows_no_slot_yet_shows_what_would_come(host: Host) -> None:
    door.RECORD.unlink()
    checked = traefik_slot.checked(job(host), host)
    assert checked["changed"]
    assert checked["diff"]["before"] == ""


def test_a_stack_is_joined_and_traefik_stays_as_it_is_whatever_the_inventory_says(
    host: Host,
) -> None:
    subnet = {"Config": [{"Subnet": "10.9.4.0/24"}]}
    host.networks.append({**host.networks[0], "Name": "late-edge", "IPAM": subnet})
    steps = len(host.moments)
    assert edge_join.settle(SUBNET, host, check=True)["networks"] == ["late-edge"]
    assert len(host.moments) == steps
    assert edge_join.settle(SUBNET, host, check=False)["changed"]
    assert host.moments[steps:] == ["network"]
    assert not edge_join.settle(SUBNET, host, check=False)["changed"]


def test_a_stack_is_not_joined_where_no_traefik_runs(host: Host) -> None:
    host.there.clear()
    with pytest.raises(ReleaseError, match=r"playbooks/provision\.yml"):
        edge_join.settle(SUBNET, host, check=False)


def test_a_stack_is_joined_when_no_flip_is_under_way(tmp_path: Path) -> None:
    with (
        holding_slots(tmp_path, FLIP, **quick()),
        pytest.raises(StackBusyError, match="the change of Traefik by ada"),
        sharing_slots(wait=0, clock=Clock()),
    ):
        pass
    with sharing_slots(wait=0, clock=Clock()), sharing_slots(wait=0, clock=Clock()):
        pass
