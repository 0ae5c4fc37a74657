"""The state of a provisioned host, as its own commands tell it."""

from __future__ import annotations

from typing import Any

import pytest

PAGE = "10.213.0.1:8503"


@pytest.mark.parametrize(
    "unit",
    [
        "docker.service",
        "slipway-door.service",
        "slipway-filter.service",
        "slipway-page.socket",
    ],
)
def test_unit_runs_and_comes_back_at_boot(host: Any, unit: str) -> None:
    service = host.service(unit)
    assert service.is_running
    assert service.is_enabled


def test_ssh_runs_and_comes_back_at_boot(host: Any) -> None:
    assert host.service("ssh.service").is_running
    # Ubuntu starts it by its socket.
    assert any(host.service(f"ssh.{kind}").is_enabled for kind in ("service", "socket"))


def test_engine_limits_logs_and_keeps_containers_alive_without_itself(server: Any) -> None:
    info = server.run("docker", "info", "--format", "{{.LiveRestoreEnabled}} {{.LoggingDriver}}")
    assert info.split()[0] == "true"


def test_no_container_publishes_a_port(server: Any) -> None:
    published = {
        name: container["HostConfig"]["PortBindings"]
        for name, container in server.containers().items()
        if container["HostConfig"]["PortBindings"]
    }
    assert published == {}


def test_nothing_but_ssh_and_the_page_on_the_door_listens_on_the_host_itself(server: Any) -> None:
    lines = server.run("ss", "--listening", "--tcp", "--numeric", "--no-header").splitlines()
    addresses = {line.split()[3] for line in lines}
    outside = {one for one in addresses if not one.startswith(("127.", "[::1]"))}
    assert PAGE in outside
    assert {one.rpartition(":")[2] for one in outside - {PAGE}} == {"22"}


def test_every_container_has_limits_and_no_more_rights_than_it_needs(server: Any) -> None:
    for name, container in server.containers().items():
        config = container["HostConfig"]
        assert config["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in config["SecurityOpt"], name
        assert config["ReadonlyRootfs"], name
        assert config["Memory"] > 0, name
        assert config["NanoCpus"] > 0, name
        assert config["PidsLimit"] > 0, name
        assert container["Config"]["User"] not in {"", "0", "root"}, name
        assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]]


def test_secret_files_belong_to_their_reader_alone(server: Any) -> None:
    listing = server.run(
        *("find", "/srv/slipway/stacks", "-path", "*/secrets/*", "-type", "f"),
        *("-printf", "%m %U %p\n"),
    )
    modes = {line.split()[2]: line.split()[:2] for line in listing.splitlines()}
    assert modes
    for path, (mode, uid) in modes.items():
        assert mode == "400", path
        assert uid == ("999" if "/data/" in path else "10001"), path


def test_no_secret_stands_in_a_container_s_configuration_or_arguments(server: Any) -> None:
    secret = server.run("cat", "/srv/slipway/stacks/production/data/secrets/password")
    assert secret not in server.run("sh", "-c", "docker inspect $(docker ps --all --quiet)")
    assert secret not in server.run("ps", "-eo", "args")
    listing = server.run(
        *("grep", "--recursive", "--fixed-strings", "--files-with-matches", secret, "/srv/slipway")
    )
    assert all("/secrets/" in path for path in listing.split())


def test_postgres_has_checksums_and_the_application_is_no_superuser(server: Any) -> None:
    query = "SHOW data_checksums; SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"
    answer = server.run(
        *("docker", "exec", "production-postgres"),
        *("psql", "--username", "postgres", "--tuples-only", "--no-align", "--command", query),
    )
    assert answer.split() == ["on", "f"]


def test_what_serves_is_the_release_that_the_manifest_names(server: Any) -> None:
    routes = server.run("cat", "/srv/slipway/traefik/dynamic/production.yml")
    release = next(
        line.removeprefix("# slipway release: ")
        for line in routes.splitlines()
        if line.startswith("# slipway release: ")
    )
    folder = f"/srv/slipway/stacks/production/releases/{release}"
    assert '"outcome": "serving"' in server.run("cat", f"{folder}/manifest.json")
    running = {name for name in server.containers(all_=False) if release in name}
    assert len(running) == 6, "two backends, two frontends, a worker and a scheduler"
