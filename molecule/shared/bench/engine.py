"""Find a Docker Engine; install and start one where the machine has none."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from bench.names import LABEL, LOGS, STATE
from bench.shell import BenchError, run, step, succeeds, wait_until

# Debian's client fits Debian's engine; another client may lie earlier on PATH.
DEBIAN_CLIENT: Final = Path("/usr/bin/docker")
STARTED: Final = STATE / "engine.json"
ADVICE: Final = (
    "No Docker Engine answers. Install one and let this user reach it:\n"
    "  sudo apt-get install --no-install-recommends docker.io iptables\n"
    "  sudo usermod --append --groups docker $USER   # then log in again"
)


def client() -> str:
    """Return the Docker client to use; raises BenchError when there is none."""
    if DEBIAN_CLIENT.exists():
        return str(DEBIAN_CLIENT)
    found = shutil.which("docker")
    if found is None:
        raise BenchError(ADVICE)
    return found


def docker(*arguments: str | Path, log: str = "docker", data: bytes | None = None) -> str:
    """Run the Docker client and return what it printed."""
    return run([client(), *arguments], log=log, data=data)


def exists(kind: str, name: str) -> bool:
    """Say whether the engine has this image, container, network or volume."""
    return succeeds([client(), kind, "inspect", name])


def ensure_volume(name: str) -> None:
    """Make a volume that carries the bench's label; one that Docker makes by itself would not."""
    docker("volume", "create", f"--label={LABEL}=1", name)


def made_from(container: str) -> str | None:
    """Return the image that a container was made from, None where there is no such container."""
    if not exists("container", container):
        return None
    return docker("inspect", "--format={{.Config.Image}}", container).strip()


def address(container: str) -> str:
    """Return a container's own address: Docker's proxy before 127.0.0.1 takes processor time."""
    networks = docker("inspect", "--format={{json .NetworkSettings.Networks}}", container)
    return str(next(iter(json.loads(networks).values()))["IPAddress"])


def answers() -> bool:
    """Say whether an engine answers the client."""
    if not (DEBIAN_CLIENT.exists() or shutil.which("docker")):
        return False
    return succeeds([client(), "info", "--format", "{{.ServerVersion}}"]) and succeeds(
        [client(), "version", "--format", "{{.Server.Version}}"]
    )


def runs_systemd() -> bool:
    """Say whether systemd is the machine's first process."""
    return Path("/run/systemd/system").is_dir()


def daemon() -> str | None:
    """Return the path of dockerd, which Debian keeps outside an ordinary user's PATH."""
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def install_packages(*packages: str) -> None:
    """Install Debian packages; raises BenchError where that is not ours to do."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BenchError(f"Install these packages: {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    STATE.mkdir(mode=0o700, exist_ok=True)
    # Two scenarios may want the same browser at the same time.
    with (STATE / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(["apt-get", "update", "-qq"], log="apt", environment=quiet)
        install = ["apt-get", "install", "-qq", "--no-install-recommends", *packages]
        run(install, log="apt", environment=quiet)


def start() -> None:
    """Start the installed engine, and note that it was the bench that did."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    if runs_systemd():
        run(["systemctl", "start", "docker.service"])
        STARTED.write_text(json.dumps({"by": "systemd"}))
    else:
        LOGS.mkdir(exist_ok=True)
        program = daemon()
        if program is None:
            raise BenchError(ADVICE)
        with (LOGS / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(
                [program],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        STARTED.write_text(json.dumps({"by": "process", "pid": process.pid}))
    wait_until("The Docker Engine answers", [client(), "info"], seconds=60)


def ensure() -> None:
    """Leave with an engine that answers.

    Raises BenchError with what to install when that takes rights that we do not have.
    """
    if answers():
        return
    if os.geteuid() != 0:
        raise BenchError(ADVICE)
    if daemon() is None:
        with step("Install Debian's Docker Engine"):
            install_packages("docker.io", "iptables")
    if not answers():  # where systemd runs, the package has started it
        with step("Start the Docker Engine"):
            start()


def is_ours(pid: int) -> bool:
    """Say whether the process of that number still is an engine; one that has ended is none."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
    return Path(command.split(b"\0")[0].decode()).name == "dockerd"


def stop() -> None:
    """Stop the engine if the bench started it, and only then."""
    if not STARTED.exists():
        return
    started = json.loads(STARTED.read_text())
    if started["by"] == "systemd":
        run(["systemctl", "stop", "docker.socket", "docker.service"])
    elif is_ours(started["pid"]):
        os.kill(started["pid"], signal.SIGTERM)
        end = time.monotonic() + 30
        while is_ours(started["pid"]) and time.monotonic() < end:
            time.sleep(0.2)
    STARTED.unlink()
