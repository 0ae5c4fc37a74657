"""Remove what the bench made, told by its label, and nothing else."""

from __future__ import annotations

import shutil

from bench import engine
from bench.engine import docker
from bench.names import LABEL, STATE
from bench.shell import step


def listed(kind: str, *options: str) -> list[str]:
    """Return the ids of the bench's things of one kind, each once."""
    command = [kind, "ls", "--quiet", f"--filter=label={LABEL}", *options]
    return list(dict.fromkeys(docker(*command).split()))


def everything() -> None:
    """Remove containers, volumes, the network and images; stop the engine if it is ours."""
    if engine.answers():
        with step("Remove containers, volumes, network and images of the bench"):
            if containers := listed("container", "--all"):
                docker("rm", "--force", "--volumes", *containers)
            if volumes := listed("volume"):
                docker("volume", "rm", *volumes)
            if networks := listed("network"):
                docker("network", "rm", *networks)
            if images := listed("image", "--all"):
                docker("image", "rm", "--force", *images)
    engine.stop()
    shutil.rmtree(STATE, ignore_errors=True)
