"""Who gets in over SSH, and that provisioning never shuts out who provisions."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench.names import PRIVATE_KEY, ROOT, STATE
from bench.playbooks import settings
from bench.shell import run
from bench.site import Site

PORT = "2351"
DROP_IN = "/etc/ssh/sshd_config.d/00-slipway.conf"
TRIAL = "/run/slipway/guard/ssh"
# What comes before changes nothing here.
AT_SSH = "--start-at-task=host : ssh | Let nobody in but the named accounts, by key"
AT_KEYS = "--start-at-task=host : user | Authorize the deploy keys and no others"
# An internal name: what no inventory can say, a mistake of ours could.
LOCKED_OUT = {"__host_ssh_users": ["nobody"]}
UNTIL_LOCKED_OUT = f"until grep -q '^AllowUsers nobody' {DROP_IN}; do sleep 0.01; done"


def login(user: str, *options: str, key: Path = PRIVATE_KEY) -> subprocess.CompletedProcess[str]:
    """Log in anew and become root."""
    known = f"UserKnownHostsFile={STATE}/known_hosts.{PORT}"
    return subprocess.run(
        [
            *("ssh", "-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", known),
            *("-o", "IdentitiesOnly=yes", "-i", str(key), *options),
            *("-p", PORT, f"{user}@127.0.0.1", "sudo -n id -u"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_deploy_user_gets_in_by_key_and_root_by_nothing() -> None:
    assert login("deploy").stdout == "0\n"
    refused = login("root")
    assert refused.returncode == 255
    assert "(publickey)" in refused.stderr, "no password is asked for"


def test_second_provisioning_comes_as_the_deploy_user_and_changes_nothing(site: Site) -> None:
    provisioned = site.environment.playbook("playbooks/provision.yml", "-vvv", "--diff")
    assert provisioned.ok, provisioned.output
    assert provisioned.changed == 0, provisioned.output
    assert "ESTABLISH SSH CONNECTION FOR USER: root" not in provisioned.output
    assert "ESTABLISH SSH CONNECTION FOR USER: deploy" in provisioned.output


def test_check_of_a_hardened_host_changes_nothing(site: Site) -> None:
    checked = site.environment.playbook(
        "playbooks/provision.yml", "--check", host_ssh_users=["ada"], network_ssh_rate=30
    )
    assert checked.ok, checked.output
    assert checked.changed == 2
    assert "AllowUsers deploy\n" in site.run("cat", DROP_IN)


def test_server_speaks_modern_algorithms_alone(server: Any) -> None:
    said = dict(line.split(" ", 1) for line in server.run("sshd", "-T").splitlines() if " " in line)
    offered = {
        kind: set(said[kind].split(","))
        for kind in ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms")
    }
    assert not {name for name in offered["kexalgorithms"] if "25519" not in name}
    assert not {name for name in offered["ciphers"] if "cbc" in name}
    assert not {name for name in offered["macs"] if "-etm@" not in name and "umac-128@" not in name}
    assert not {name for name in offered["macs"] if "sha1" in name or "umac-64" in name}
    assert not {name for name in offered["hostkeyalgorithms"] if "ecdsa" in name}
    assert said["disableforwarding"] == "yes"


@pytest.mark.parametrize("algorithm", ["KexAlgorithms=ecdh-sha2-nistp256", "MACs=hmac-sha1"])
def test_client_that_insists_on_old_algorithms_is_turned_away(algorithm: str) -> None:
    # A cipher that brings no authentication of its own, or no MAC would be asked for.
    answer = login("deploy", "-o", algorithm, "-o", "Ciphers=aes256-ctr")
    assert answer.returncode == 255
    assert "no matching" in answer.stderr


def test_keys_without_the_operator_s_own_are_taken_back(site: Site, tmp_path: Path) -> None:
    before = site.run("cat", "/home/deploy/.ssh/authorized_keys")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"])
    other = (tmp_path / "other.pub").read_text().strip()
    refused = site.environment.playbook("playbooks/provision.yml", host_deploy_keys=[other])
    assert not refused.ok
    assert "host_deploy_keys" in refused.output
    assert site.run("cat", "/home/deploy/.ssh/authorized_keys") == before
    assert login("deploy").stdout == "0\n"


def test_certificate_of_an_authority_gets_in_for_its_principal_and_as_long_as_it_lasts(
    site: Site, tmp_path: Path
) -> None:
    authority, key = tmp_path / "authority", tmp_path / "key"
    for file in (authority, key):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file])
    public = authority.with_suffix(".pub").read_text().strip()

    def certified(principal: str, valid: str) -> str:
        sign = ("ssh-keygen", "-q", "-s", authority, "-I", "run 42", "-n", principal, "-V", valid)
        run([*sign, key.with_suffix(".pub")])
        return login("deploy", key=key).stdout

    provisioned = site.environment.playbook(
        "playbooks/provision.yml", AT_KEYS, host_deploy_authorities=[public]
    )
    try:
        assert provisioned.ok, provisioned.output
        assert certified("deploy", "+5m") == "0\n"
        assert certified("somebody", "+5m") == ""
        assert certified("deploy", "-2h:-1h") == ""
        assert login("deploy").stdout == "0\n"
    finally:
        site.environment.playbook("playbooks/provision.yml", AT_KEYS)
    assert certified("deploy", "+5m") == "", "an authority that left the list lets nobody in"


def test_settings_that_shut_the_operator_out_are_taken_back(site: Site) -> None:
    before = site.run("cat", DROP_IN)
    refused = site.environment.playbook("playbooks/provision.yml", AT_SSH, **LOCKED_OUT)
    assert not refused.ok
    assert "It was taken back" in refused.output
    assert site.run("cat", DROP_IN) == before
    assert login("deploy").stdout == "0\n"


def test_settings_that_another_file_overrides_are_not_believed(site: Site) -> None:
    other = "/etc/ssh/sshd_config.d/00-other.conf"
    site.run("sh", "-c", f"echo PermitRootLogin yes > {other}")
    try:
        refused = site.environment.playbook("playbooks/provision.yml", AT_SSH)
    finally:
        site.run("rm", other)
    assert not refused.ok
    assert "permitrootlogin no" in refused.output


def test_host_takes_settings_back_by_itself_when_the_controller_is_killed(site: Site) -> None:
    before = site.run("cat", DROP_IN)
    command = site.environment.command("playbooks/provision.yml", AT_SSH, **LOCKED_OUT)
    playbook = subprocess.Popen(
        command, cwd=ROOT, env=settings(), stdout=subprocess.DEVNULL, start_new_session=True
    )
    # The host looks, a hundred times a second: the playbook itself takes them back within one.
    site.run("timeout", "120", "sh", "-c", UNTIL_LOCKED_OUT)
    subprocess.run(["kill", "-KILL", "--", f"-{playbook.pid}"], check=True)
    playbook.wait()
    assert "slipway-guard-ssh.timer" in site.run("systemctl", "list-timers", "--no-legend")
    # What the timer starts, without the wait for it.
    site.run("systemctl", "start", "--wait", "slipway-guard-ssh.service")
    assert site.run("cat", DROP_IN) == before
    assert login("deploy").stdout == "0\n"
