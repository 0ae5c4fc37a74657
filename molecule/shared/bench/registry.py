"""Run the bench's registry, and put the stand-ins into it."""

from __future__ import annotations

from collections.abc import Mapping

from bench.engine import client, docker, ensure_volume, exists, made_from
from bench.images import RECIPES
from bench.names import LABEL, NETWORK, REGISTRY, REGISTRY_DOOR, REGISTRY_NAME
from bench.shell import step, succeeds, wait_until
from bench.upload import Registry, upload


def ensure_network() -> None:
    """Make the network that the bench's containers share."""
    if not exists("network", NETWORK):
        docker("network", "create", f"--label={LABEL}=1", NETWORK)


def ensure(image: str) -> None:
    """Leave with a registry that answers on this machine and on the network."""
    ensure_network()
    found = made_from(REGISTRY)
    if found not in (None, image):  # what was pushed lies in its volume
        docker("rm", "--force", REGISTRY)
    if found != image:
        ensure_volume(REGISTRY)
        host, _, port = REGISTRY_NAME.partition(":")
        docker(
            *("run", "--detach", f"--name={REGISTRY}", f"--label={LABEL}=1"),
            *(f"--network={NETWORK}", f"--network-alias={host}"),
            *(f"--publish={REGISTRY_DOOR}:{port}", f"--volume={REGISTRY}:/var/lib/registry"),
            *("--restart=unless-stopped", image),
        )
    elif not succeeds([client(), "exec", REGISTRY, "true"]):
        docker("start", REGISTRY)
    probe = f"import urllib.request as u; u.urlopen('http://{REGISTRY_DOOR}/v2/', timeout=2)"
    wait_until("The registry answers", ["python3", "-c", probe], seconds=20)


def push_stand_ins(images: Mapping[str, str]) -> None:
    """Have every stand-in that was built in the registry, under the name that is asked for."""
    there = Registry()
    wanted = {
        images[one.name]: f"library/{one.stands_for}"
        for one in RECIPES
        if one.stands_for is not None and one.name in images
    }
    missing = {name: at for name, at in wanted.items() if there.made_from(at) != name}
    if missing:
        with step("Upload the stand-ins to the registry"):
            upload(missing)
