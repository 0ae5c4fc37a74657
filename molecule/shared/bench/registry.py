"""Run the bench's registry, and put the stand-ins into it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bench.engine import client, docker, exists, made_from
from bench.images import AT_ONCE, RECIPES
from bench.names import LABEL, NETWORK, REGISTRY, REGISTRY_DOOR, REGISTRY_NAME
from bench.shell import step, succeeds, wait_until

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"


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


def holds(repository: str, tag: str) -> str | None:
    """Return the image id behind a tag of the registry, None where there is no such tag."""
    request = urllib.request.Request(
        f"http://{REGISTRY_DOOR}/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            manifest = json.load(answer)
    except urllib.error.HTTPError:
        return None
    found: str = manifest["config"]["digest"]
    return found


def push(image: str, repository: str, tag: str) -> None:
    """Push an image of this machine's engine, unless the registry has it."""
    if holds(repository, tag) == docker("image", "inspect", "--format={{.Id}}", image).strip():
        return
    with step(f"Push {repository}:{tag}"):
        target = f"{REGISTRY_DOOR}/{repository}:{tag}"
        docker("tag", image, target)
        docker("push", "--quiet", target, log="push")


def push_stand_ins(images: Mapping[str, str]) -> None:
    """Push every stand-in that was built, under the name that Dockerfiles and roles use."""
    made = [one for one in RECIPES if one.name in images]
    names = {one.stands_for: images[one.name] for one in made if one.stands_for}

    def work(reference: str) -> None:
        name, _, tag = reference.partition(":")
        push(names[reference], f"library/{name}", tag)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, names))
