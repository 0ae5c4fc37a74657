"""What is wanted in a slot, and which slot is active."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import door
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.slots import (
    look,
    record_for,
    slot_definition,
    slot_of,
)

from tests.unit.edge.host import A6, B6, SUBNET, SUBNET_V6, A, B, Host, wanted

EDGES = [{"name": "shop-edge", "ipv4_address": "10.213.4.3"}]


def definition(**changes: Any) -> dict[str, Any]:
    whole = slot_definition(wanted(**changes), "b", Path("/srv/slipway/traefik"), SUBNET, EDGES)
    service: dict[str, Any] = whole["services"]["traefik"]
    return service


def test_a_slot_has_its_own_address_directory_and_name() -> None:
    slot = definition()
    assert slot["container_name"] == "traefik-b"
    assert slot["networks"]["slipway-door"]["ipv4_address"] == "10.213.0.3"
    assert slot["extra_hosts"] == {"slot": "10.213.0.3"}
    sources = {mount["target"]: mount["source"] for mount in slot["volumes"]}
    assert sources["/etc/traefik"] == "/srv/slipway/traefik/b"
    assert sources["/etc/slipway/dynamic"] == "/srv/slipway/traefik/dynamic"


def test_a_slot_publishes_nothing_and_has_no_rights() -> None:
    slot = definition()
    assert "ports" not in slot
    assert slot["cap_drop"] == ["ALL"]
    assert slot["read_only"]
    assert not [mount for mount in slot["volumes"] if "docker.sock" in mount["source"]]


def test_a_slot_has_a_place_for_a_file_on_its_read_only_root_whatever_else_it_is_told() -> None:
    environment = definition(environment={"A": "b$c"})["environment"]
    assert environment == {"TMPDIR": "/dev/shm", "A": "b$$c"}  # noqa: S108 - the container's own


def test_a_slot_has_its_credentials_as_files_that_it_cannot_change() -> None:
    (mount,) = [
        one
        for one in definition(credentials="0123456789abcdef")["volumes"]
        if one["target"] == "/run/credentials"
    ]
    assert mount["source"] == "/srv/slipway/traefik/credentials/0123456789abcdef"
    assert mount["read_only"]
    assert not [one for one in definition()["volumes"] if "credentials" in one["source"]]


def test_a_slot_does_not_come_back_at_boot_before_it_serves() -> None:
    assert definition()["restart"] == "no"


def test_an_image_s_name_is_no_template_of_compose() -> None:
    assert definition(image="a$b:1")["image"] == "a$$b:1"


@pytest.mark.parametrize(
    "change",
    [
        {"image": "traefik:v3.8"},
        {"memory": "1g"},
        {"cpus": 2.0},
        {"grace": 5},
        {"static": "b"},
        {"environment": {"A": "b"}},
        {"credentials": "0123456789abcdef"},
        {"subnet_v6": SUBNET_V6},
    ],
)
def test_everything_that_is_wanted_is_in_the_fingerprint(change: dict[str, Any]) -> None:
    assert wanted(**change).fingerprint != wanted().fingerprint


def test_the_record_names_the_active_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch)
    assert look(host, SUBNET).active == "a"
    door.lead_to([B])
    slots = look(host, SUBNET)
    assert (slots.active, slots.idle, slots.led) == ("b", "a", True)


def test_a_kernel_that_leads_elsewhere_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch)
    host.kernel = (B,)
    assert not look(host, SUBNET).settled()
    door.load()
    assert look(host, SUBNET).settled()


def test_a_kernel_that_leads_one_family_elsewhere_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch)
    door.lead_to([B, B6])
    assert look(host, SUBNET).settled()
    for kernel in ((B,), (B, A6)):
        host.kernel = kernel
        assert not look(host, SUBNET).settled()


def test_the_first_record_names_slot_a_and_another_subnet_leaves_the_slot_as_it_is() -> None:
    assert door.named(record_for("", SUBNET, "")) == (A,)
    assert door.named(record_for("", SUBNET, SUBNET_V6)) == (A, A6)
    in_b = door.record_text([B])
    assert door.named(record_for(in_b, SUBNET, SUBNET_V6)) == (B, B6)
    assert record_for(door.record_text([B, B6]), SUBNET, "") == in_b


def test_an_edge_network_that_came_later_is_not_joined_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch)
    host.flip(wanted())
    assert look(host, SUBNET).unjoined == []
    subnet = {"Config": [{"Subnet": "10.9.4.0/24"}]}
    host.networks.append({**host.networks[0], "Name": "late-edge", "IPAM": subnet})
    assert look(host, SUBNET).unjoined == [{"name": "late-edge", "ipv4_address": "10.9.4.2"}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "is missing: nothing says"), ("define door = nowhere\n", "names no slot")],
)
def test_a_record_that_says_nothing_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, reason: str
) -> None:
    monkeypatch.setattr(door, "RECORD", tmp_path / "slot.nft")
    if text is not None:
        door.RECORD.write_text(text)
    with pytest.raises(ReleaseError, match=reason):
        door.active_address()


def test_an_address_that_is_no_slot_is_refused() -> None:
    assert slot_of(A, SUBNET) == "a"
    with pytest.raises(ValueError, match="which is no slot of network_door_subnet"):
        slot_of("10.213.0.9", SUBNET)
