"""Images that the pipeline does not vouch for: the server refuses them, whoever asks for them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.delivery import runner
from bench.delivery.act import Delivery, commit_of
from bench.delivery.copies import IMAGES, REPOSITORY, SLIPWAY, Keys
from bench.names import LABEL
from bench.shell import BenchError, step
from bench.upload import MANIFEST, Registry, sha256

NAMES: Final = ("backend", "frontend")
KINDS: Final = f"{MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
UNSIGNED: Final = "is not signed by a key of stack_verify_keys for version"
MOVED: Final = "no longer leads to what the pipeline built"


@dataclass(frozen=True)
class Manifest:
    """What lies behind a tag in the registry."""

    kind: str
    content: bytes

    def other(self, mark: str) -> Manifest:
        """Return one of the same image under another digest."""
        content = json.loads(self.content) | {"annotations": {LABEL: mark}}
        return Manifest(self.kind, json.dumps(content).encode())


def pull(name: str, tag: str) -> Manifest:
    """Return what a tag leads to."""
    path = f"/v2/{REPOSITORY}/{name}/manifests/{tag}"
    with Registry().ask("GET", path, headers={"Accept": KINDS}) as answer:
        return Manifest(answer.headers["Content-Type"], answer.read())


def push(name: str, tag: str, manifest: Manifest) -> str:
    """Let a tag lead there; return the digest."""
    path = f"/v2/{REPOSITORY}/{name}/manifests/{tag}"
    Registry().ask("PUT", path, manifest.content, {"Content-Type": manifest.kind}).close()
    return sha256(manifest.content)


def forged(version: str, tag: str) -> dict[str, str]:
    """Push copies of a version's images that nobody has signed; return their digests."""
    return {name: push(name, tag, pull(name, version).other(tag)) for name in NAMES}


def unsigned(version: str) -> tuple[str, dict[str, str]]:
    """Push images without a signature."""
    return "unsigned", forged(version, "unsigned")


def signed_by_another(version: str) -> tuple[str, dict[str, str]]:
    """Push images that have a signature, by a key that the server does not know."""
    tag = "signed-by-another"
    digests = forged(version, tag)
    password = secrets.token_hex(8)
    folder = key_folder()
    environment = {"COSIGN_PASSWORD": password}
    runner.execute("cosign", "generate-key-pair", environment=environment, folder=folder)
    sign(tag, digests, password, folder)
    return tag, digests


def signed(version: str, keys: Keys) -> tuple[str, dict[str, str]]:
    """Push images as the pipeline's build does, as a version that has not been deployed."""
    tag = "signed"
    digests = forged(version, tag)
    folder = key_folder()
    runner.copy({"cosign.key": keys.cosign.encode()}, folder, mode=0o600)
    sign(tag, digests, keys.cosign_password, folder)
    return tag, digests


def key_folder() -> str:
    """Make an empty folder for a key on the runner."""
    folder = f"{runner.HOME}/signing"
    runner.execute("sh", "-c", f"rm -rf {folder} && mkdir -m 0700 {folder}")
    return folder


def sign(version: str, digests: dict[str, str], password: str, folder: str) -> None:
    """Sign images for a version by the key in a folder of the runner."""
    for name, digest in digests.items():
        runner.execute(
            *("cosign", "sign", "--key=cosign.key", "--tlog-upload=false", "--yes"),
            *("--allow-http-registry", f"--annotations=version={version}"),
            f"{IMAGES}/{name}@{digest}",
            environment={"COSIGN_PASSWORD": password},
            folder=folder,
        )


def signed_for_another_version(version: str) -> tuple[str, dict[str, str]]:
    """Let another tag lead to images that are signed for their own."""
    tag = "another-version"
    return tag, {name: push(name, tag, pull(name, version)) for name in NAMES}


@contextmanager
def moved(version: str) -> Iterator[None]:
    """Let a version's tags lead to other images, for a while."""
    before = {name: pull(name, version) for name in NAMES}
    for name, manifest in before.items():
        push(name, version, manifest.other("moved"))
    try:
        yield
    finally:
        for name, manifest in before.items():
            push(name, version, manifest)


def refusal(keys: Keys, version: str, digests: dict[str, str]) -> str:
    """Ask for a deploy to production as the pipeline does; return what is said against it."""
    handed_on = {f"{IMAGES}/{name}": digest for name, digest in digests.items()}
    settings = {
        **keys.secrets(),
        "SSH_KNOWN_HOSTS": keys.known_hosts,
        "ENVIRONMENT": "production",
        "VERSION": version,
        "DIGESTS": json.dumps(handed_on),
    }
    try:
        runner.execute(
            *("make", "-C", SLIPWAY, "pipeline-deploy"),
            environment=settings,
            log="delivery-forgeries",
        )
    except BenchError as error:
        return " ".join(str(error).split())
    return ""


def show(delivery: Delivery) -> None:
    """Have each forgery refused while production goes on, and then what is right let in."""
    serving = commit_of("production")

    def refuse(version: str, digests: dict[str, str], words: str) -> None:
        said = refusal(delivery.keys, version, digests)
        if words not in said:
            raise BenchError(f"Expected '{words}', but this was said: {said or 'nothing'}")
        if commit_of("production") != serving:
            raise BenchError("Production changed all the same")

    forgeries: dict[str, Callable[[str], tuple[str, dict[str, str]]]] = {
        "that nobody has signed": unsigned,
        "that somebody else has signed": signed_by_another,
        "that are signed for another version": signed_for_another_version,
    }
    for title, forge in forgeries.items():
        with step(f"Refuse images {title}"):
            refuse(*forge(serving), UNSIGNED)
    version, honest = signed(serving, delivery.keys)
    with step("Refuse a version whose tags were moved after the build"), moved(version):
        refuse(version, honest, MOVED)
    with step("Let in what was built"):
        if said := refusal(delivery.keys, version, honest):
            raise BenchError(said)
        if commit_of("production") != version:
            raise BenchError(f"{commit_of('production')} serves, not what was built")
