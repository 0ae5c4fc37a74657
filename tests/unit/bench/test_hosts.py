"""A server's flags fit the machine, and its engine asks name servers that it can reach."""

from __future__ import annotations

from pathlib import Path

from bench import hosts

ALL = (1 << 41) - 1
WITHOUT_SYS_RESOURCE = ALL & ~(1 << hosts.SYS_RESOURCE)


def test_cgroup_v1_takes_systemd_s_legacy_words() -> None:
    flags = hosts.flags("1", WITHOUT_SYS_RESOURCE)
    assert "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" in flags.command
    assert flags.cgroupns_mode == "host"
    assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in flags.volumes
    assert not flags.privileged


def test_capabilities_that_the_machine_lacks_are_dropped() -> None:
    assert "SYS_RESOURCE" in hosts.flags("1", WITHOUT_SYS_RESOURCE).cap_drop
    assert "SYS_RESOURCE" not in hosts.flags("1", ALL).cap_drop


def test_cgroup_v2_is_privileged_in_a_cgroup_namespace_of_its_own() -> None:
    flags = hosts.flags("2", ALL)
    assert flags.privileged
    assert flags.cgroupns_mode == "private"
    assert flags.command == [hosts.SYSTEMD]


def test_flags_read_the_same_in_the_client_s_words() -> None:
    options = hosts.run_options(hosts.flags("1", WITHOUT_SYS_RESOURCE))
    assert "--cap-add=ALL" in options
    assert "--cap-drop=SYS_RESOURCE" in options
    assert "--tmpfs=/run" in options
    assert "--privileged" not in options
    assert "--privileged" in hosts.run_options(hosts.flags("2", ALL))


def test_a_resolver_on_loopback_gives_way_to_the_real_ones(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# systemd-resolved\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.53\nnameserver 2001:db8::53\n")
    assert hosts.resolvers(stub, real) == ["192.0.2.53", "2001:db8::53"]
    assert hosts.resolvers(real, stub) == ["192.0.2.53", "2001:db8::53"]
    assert hosts.resolvers(stub, tmp_path / "missing") == []


def test_an_engine_uses_the_mirror_only_where_images_stand_in() -> None:
    assert "registry-mirrors" in hosts.daemon_options(mirror=True)
    assert "registry-mirrors" not in hosts.daemon_options(mirror=False)
