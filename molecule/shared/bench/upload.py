"""Put images of this machine's engine into the bench's registry, uncompressed.

`docker push` would spend most of a cold demo's minute on packing what the engines next door unpack
at once. The registry's API and the OCI image format allow plain layers.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final

from bench.engine import docker
from bench.names import LABEL, REGISTRY_DOOR

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
PACKED: Final = b"\x1f\x8b"  # how a gzip file begins; some engines keep their layers packed
MADE_FROM: Final = f"{LABEL}.image"  # the annotation that names the image as the bench does
SECONDS: Final = 120


@dataclass(frozen=True)
class Saved:
    """One image inside a `docker save` archive: its configuration and its layers' members."""

    config: bytes
    layers: tuple[str, ...]

    @property
    def layer_digests(self) -> list[str]:
        """The digests of the layers as they lie in the archive, lowest first."""
        plain = json.loads(self.config)["rootfs"]["diff_ids"]
        named = [name.partition("blobs/sha256/")[2] for name in self.layers]
        return [f"sha256:{name}" if name else one for name, one in zip(named, plain, strict=True)]


@dataclass(frozen=True)
class Layer:
    """A layer as a manifest lists it."""

    digest: str
    size: int
    packed: bool


@dataclass
class Registry:
    """What an upload asks of a registry; remembers where it put which blob."""

    address: str = f"http://{REGISTRY_DOOR}"
    homes: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer to a request; raises urllib's HTTPError when it is refused."""
        address = path if path.startswith("http") else self.address + path
        request = urllib.request.Request(  # noqa: S310
            address, data=body, headers=dict(headers or {}), method=method
        )
        return urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310

    def made_from(self, reference: str) -> str | None:
        """Return the bench's name for what lies behind `repository:tag`, None where it has none."""
        repository, _, tag = reference.rpartition(":")
        path = f"/v2/{repository}/manifests/{tag}"
        try:
            with self.ask("GET", path, headers={"Accept": MANIFEST}) as answer:
                found: str | None = json.load(answer).get("annotations", {}).get(MADE_FROM)
        except urllib.error.HTTPError:
            return None
        return found

    def put_blob(self, repository: str, digest: str, body: bytes | IO[bytes], size: int) -> None:
        """Upload a blob, or mount it from the repository that already has it."""
        home = self.homes.get(digest)
        mount = f"?mount={digest}&from={home}" if home else ""
        with self.ask("POST", f"/v2/{repository}/blobs/uploads/{mount}", b"") as answer:
            mounted = answer.status == HTTPStatus.CREATED
            place = answer.headers["Location"]
        if not mounted:
            place += f"{'&' if '?' in place else '?'}digest={digest}"
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            self.ask("PUT", place, body, headers).close()
        self.homes[digest] = repository

    def put_manifest(self, repository: str, tag: str, manifest: bytes) -> None:
        """Give an image whose blobs are there its tag."""
        path = f"/v2/{repository}/manifests/{tag}"
        self.ask("PUT", path, manifest, {"Content-Type": MANIFEST}).close()


def sha256(content: bytes) -> str:
    """Return a digest as registries write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def manifest_of(name: str, config: bytes, layers: Sequence[Layer]) -> bytes:
    """Return the OCI manifest of the image that the bench calls by that name."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)},
            "layers": [
                {
                    "mediaType": f"{LAYER}+gzip" if layer.packed else LAYER,
                    "digest": layer.digest,
                    "size": layer.size,
                }
                for layer in layers
            ],
            "annotations": {MADE_FROM: name},
        }
    ).encode()


def read_member(archive: tarfile.TarFile, name: str) -> bytes:
    """Return the content of one file in an archive."""
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def saved_images(archive: tarfile.TarFile) -> dict[str, Saved]:
    """Return the images in a `docker save` archive by their names."""
    found: dict[str, Saved] = {}
    for entry in json.loads(read_member(archive, "manifest.json")):
        image = Saved(read_member(archive, entry["Config"]), tuple(entry["Layers"]))
        found |= dict.fromkeys(entry["RepoTags"], image)
    return found


def send(registry: Registry, archive: tarfile.TarFile, name: str, reference: str) -> None:
    """Upload one image of an archive as `repository:tag`."""
    image = saved_images(archive)[name]
    repository, _, tag = reference.rpartition(":")
    layers = []
    for digest, member in zip(image.layer_digests, image.layers, strict=True):
        file = archive.extractfile(member)  # follows the links of layers that images share
        if file is None:
            raise KeyError(member)
        packed = file.read(len(PACKED)) == PACKED
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        registry.put_blob(repository, digest, file, size)
        layers.append(Layer(digest, size, packed))
    registry.put_blob(repository, sha256(image.config), image.config, len(image.config))
    registry.put_manifest(repository, tag, manifest_of(name, image.config, layers))


def upload(images: Mapping[str, str]) -> None:
    """Upload images, given as `repository:tag` by the image's name in this machine's engine."""
    registry = Registry()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "images.tar")
        docker("save", f"--output={file}", *images)
        with tarfile.open(file) as archive:
            for name, reference in images.items():
                send(registry, archive, name, reference)
