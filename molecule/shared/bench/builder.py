"""Run the builder: a server with an engine of its own, whose build cache outlives it.

Others may have a server like it, by another name.
"""

from __future__ import annotations

import io
import json
import tarfile

from bench import hosts
from bench.engine import client, docker, ensure_volume, made_from
from bench.names import BUILDER, LABEL, NETWORK
from bench.shell import step, succeeds, wait_until


def archive(files: dict[str, bytes]) -> bytes:
    """Return a tar archive of the files, all of them root's."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def ensure(image: str, *, mirror: bool, name: str = BUILDER) -> None:
    """Leave with a server of that name whose engine answers."""
    found = made_from(name)
    if found == image and succeeds([client(), "exec", name, "docker", "info"]):
        return
    with step(f"Start {name}"):
        if found != image:
            if found is not None:
                docker("rm", "--force", name)
            ensure_volume(name)
            chosen = hosts.this_machine()
            docker(
                *("create", f"--name={name}", f"--hostname={name}", f"--label={LABEL}=1"),
                *(f"--network={NETWORK}", *hosts.run_options(chosen)),
                *(f"--volume={name}:/var/lib/docker", image, *chosen.command),
            )
            options = json.dumps(hosts.daemon_options(mirror=mirror)).encode()
            docker("cp", "-", f"{name}:/etc/docker", data=archive({"daemon.json": options}))
        docker("start", name)
        ready = [client(), "exec", name, "docker", "info"]
        wait_until(f"The engine of {name} answers", ready, seconds=60)
