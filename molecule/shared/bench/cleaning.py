"""Remove what the bench made, told by its label, and nothing else."""

from __future__ import annotations

import shutil

from bench import engine
from bench.engine import docker
from bench.names import LABEL, STATE
from bench.shell import step


def listed(kind: str, *options: str) -> list[str]:
    """Return what the engine has of the bench's things of one kind, each once."""
    command = [kind, "ls", f"--filter=label={LABEL}", *(options or ["--quiet"])]
    return list(dict.fromkeys(docker(*command).split()))


def everything() -> None:
    """Remove containers, volumes, the network and images; stop the engine if it is ours."""
    if engine.answers():
        with step("Remove containers, volumes, network and images of the bench"):
            if containers := listed("container", "--all", "--quiet"):
                docker("rm", "--force", "--volumes", *containers)
            if volumes := listed("volume"):
                docker("volume", "rm", *volumes)
            if networks := listed("network"):
                docker("network", "rm", *networks)
            # By name: an image goes with its last name, and its parents go with it.
            names = listed("image", "--format={{.Repository}}:{{.Tag}}")
            if tagged := [name for name in names if "<none>" not in name]:
                docker("image", "rm", *tagged)
            docker("image", "prune", "--force", f"--filter=label={LABEL}")
    engine.stop()
    shutil.rmtree(STATE, ignore_errors=True)
