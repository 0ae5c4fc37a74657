"""Both repositories on the runner: a team's copy of Slipway, filled in, and the application."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bench import application, ca, hosts
from bench.delivery import runner
from bench.engine import docker
from bench.names import PREFIX, PRIVATE_KEY, REGISTRY_NAME, ROOT
from bench.shell import run

SERVER: Final = f"{PREFIX}-delivery"
SLIPWAY: Final = f"{runner.HOME}/slipway"
APPLICATION: Final = f"{runner.HOME}/application"
MAIN: Final = "main"
REPOSITORY: Final = "shop/shop"
IMAGES: Final = f"{REGISTRY_NAME}/{REPOSITORY}"
DOMAINS: Final = {"production": "yourdomain.com", "staging": "staging.delivery.test"}
CERTIFICATES: Final = {
    "production": [DOMAINS["production"], f"www.{DOMAINS['production']}"],
    "staging": [DOMAINS["staging"], f"*.preview.{DOMAINS['staging']}"],
}
# In the hash of molecule/inventory/staging.
STAGING_LOGIN: Final = "team:the password of staging"
CALLER: Final = ".github/workflows/deploy.yml"
PREVIEW_CALLER: Final = ".github/workflows/preview.yml"
# What a user fills into the callers where images do not go to GHCR.
FILLED_IN: Final = {
    CALLER: f"    with:\n      registry: {IMAGES}\n      provenance: false\n",
    PREVIEW_CALLER: f"    with:\n      registry: {IMAGES}\n",
}
FILLED_IN_BEFORE: Final = "    permissions:\n"
STYLE: Final = "frontend/src/style.css"


@dataclass(frozen=True)
class Keys:
    """What the environments of the application's repository hold, and its public halves."""

    deploy: str
    deploy_public: str
    cosign: str
    cosign_public: str
    cosign_password: str
    vault_password: str
    known_hosts: str

    def secrets(self) -> dict[str, str]:
        """Return them under the names that the workflow knows."""
        return {
            "GITHUB_TOKEN": secrets.token_hex(20),
            "COSIGN_PRIVATE_KEY": self.cosign,
            "COSIGN_PASSWORD": self.cosign_password,
            "SSH_PRIVATE_KEY": self.deploy,
            "VAULT_PASSWORD": self.vault_password,
            "SMOKE_LOGIN": STAGING_LOGIN,
            "NOTIFY_SLACK_URL": f"{runner.RECEIVER}/slack",
            "NOTIFY_WEBHOOK_URL": f"{runner.RECEIVER}/webhook",
        }


def make_keys() -> Keys:
    """Make a key for the pipeline, and one that signs; read the server's host key."""
    folder = f"{runner.HOME}/keys"
    password = secrets.token_hex(16)
    runner.execute("sh", "-c", f"rm -rf {folder} && mkdir -m 0700 {folder}")
    key = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pipeline", "-f", "deploy")
    runner.execute(*key, folder=folder)
    runner.execute(
        "cosign", "generate-key-pair", environment={"COSIGN_PASSWORD": password}, folder=folder
    )

    def read(name: str) -> str:
        return runner.execute("cat", name, folder=folder)

    host_key = docker("exec", SERVER, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    found = Keys(
        deploy=read("deploy"),
        deploy_public=read("deploy.pub").strip(),
        cosign=read("cosign.key"),
        cosign_public=read("cosign.pub"),
        cosign_password=password,
        vault_password=secrets.token_hex(16),
        known_hosts=f"{SERVER} {host_key.strip()}",
    )
    runner.execute("rm", "-rf", folder)
    return found


def inventory(environment: str, keys: Keys, cosign_sha256: str) -> dict[str, Any]:
    """Return what a team would fill into an inventory, for the bench's server."""
    certificate = ca.ensure_certificate(CERTIFICATES[environment])
    return {
        "host_deploy_keys": [
            PRIVATE_KEY.with_suffix(".pub").read_text().strip(),
            keys.deploy_public,
        ],
        "host_time_sync": False,
        "docker_source": "distribution",
        "docker_daemon_options": hosts.daemon_options(mirror=True),
        "docker_cosign_url": "file:///usr/bin/cosign",
        "docker_cosign_sha256": cosign_sha256,
        "traefik_certificate": certificate.read_text(),
        "traefik_certificate_key": certificate.with_suffix(".key").read_text(),
        "stack_domain": DOMAINS[environment],
        "stack_registry": IMAGES,
        "stack_sizes": {"backend": {"replicas": 1, "memory": "512m", "cpus": 2.0}},
        "stack_soak_seconds": 2,
        "stack_verify_keys": [keys.cosign_public],
    }


def put_slipway(keys: Keys, cosign_sha256: str) -> None:
    """Put a team's copy of this repository on the runner: its inventories filled in, a vault."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = run(listed, folder=ROOT).split("\0")
    runner.execute("sh", "-c", f"rm -rf {SLIPWAY} && mkdir {SLIPWAY}")
    docker("cp", "-", f"{runner.NAME}:{SLIPWAY}", data=packed(ROOT, files))
    for environment in DOMAINS:
        folder = f"{SLIPWAY}/inventories/{environment}/group_vars/docker_hosts"
        filled = yaml.safe_dump(inventory(environment, keys, cosign_sha256)).encode()
        server = {f"{environment}-1": {"ansible_host": SERVER}}
        listed_hosts = yaml.safe_dump({"docker_hosts": {"hosts": server}}).encode()
        runner.copy({"hosts.yml": listed_hosts}, f"{SLIPWAY}/inventories/{environment}")
        # Files of a group are read by name, and the last one wins.
        runner.copy({"zz-filled-in.yml": filled}, folder)
        vault = ROOT / "molecule/inventory" / environment / "group_vars/docker_hosts/vault.yml"
        runner.copy({"vault.yml": encrypted(vault.read_bytes(), keys.vault_password)}, folder)
    commit_all(SLIPWAY, "Fill in the inventories")


def encrypted(content: bytes, password: str) -> bytes:
    """Encrypt a file as ansible-vault does."""
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415 - slow to load

    sealed: bytes = VaultLib().encrypt(content, secret=VaultSecret(password.encode()))
    return sealed


def put_application() -> str:
    """Put a clone of the sample application on the runner; return its commit."""
    runner.execute("sh", "-c", f"rm -rf {APPLICATION} && mkdir {APPLICATION}")
    data = application.pack(application.SOURCE)
    docker("cp", "-", f"{runner.NAME}:{APPLICATION}", data=data)
    for caller, words in FILLED_IN.items():
        text = (application.SOURCE / caller).read_text()
        filled = text.replace(FILLED_IN_BEFORE, words + FILLED_IN_BEFORE).encode()
        runner.copy({Path(caller).name: filled}, f"{APPLICATION}/{Path(caller).parent}")
    return commit_all(APPLICATION, "Begin")


def commit(files: Mapping[str, str], message: str) -> str:
    """Change files of the application and commit them; return the commit."""
    for name, text in files.items():
        path = Path(APPLICATION, name)
        runner.copy({path.name: text.encode()}, str(path.parent))
    return commit_all(APPLICATION, message)


def change(branch: str = MAIN) -> str:
    """Commit something that is good to a branch, which begins at main; return the commit."""
    git(APPLICATION, "checkout", "--quiet", "-B", branch)
    try:
        return commit({STYLE: f"{read(STYLE)}/* {time.time()} */\n"}, "Change a colour")
    finally:
        git(APPLICATION, "checkout", "--quiet", MAIN)


def read(name: str) -> str:
    """Read a file of the application as it was last committed."""
    return runner.execute("cat", f"{APPLICATION}/{name}")


def undo() -> str:
    """Revert the application's last commit; return the new one."""
    git(APPLICATION, "revert", "--no-edit", "HEAD")
    return git(APPLICATION, "rev-parse", "HEAD").strip()


def commit_all(folder: str, message: str) -> str:
    """Commit all that lies in a folder, at first to main; return the commit."""
    git(folder, "init", "--quiet", f"--initial-branch={MAIN}")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: str, *words: str) -> str:
    """Run git on the runner."""
    author = ("-c", "user.name=Team", "-c", "user.email=team@example.com")
    return runner.execute("git", *author, "-c", f"safe.directory={folder}", *words, folder=folder)


def packed(folder: Path, names: list[str]) -> bytes:
    """Return these files of a folder as a tar archive; those that were removed are left out."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name in filter(None, names):
            if (folder / name).exists() or (folder / name).is_symlink():
                tar.add(folder / name, arcname=name, recursive=False)
    return target.getvalue()


def cosign_sha256() -> str:
    """Install cosign on the server, where a download would come from, and return its SHA-256."""
    script = "command -v cosign || { apt-get update -qq && apt-get install -qq cosign; }"
    docker("exec", SERVER, "sh", "-c", script)
    return docker("exec", SERVER, "sha256sum", "/usr/bin/cosign").split()[0]
