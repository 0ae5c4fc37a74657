"""An archive of `docker save` becomes blobs and manifests, each blob sent once."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from bench import upload
from bench.builder import archive as tar

SHARED, OWN = b"shared layer", b"\x1f\x8b packed layer"


class FakeRegistry(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs: dict[str, bytes] = {}
        self.mounted: list[str] = []
        self.manifests: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def log_message(self, *_: object) -> None:  # quiet
        pass

    def answer(self, status: int, body: bytes = b"", location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        mount = parse_qs(urlsplit(self.path).query).get("mount")
        if mount:
            self.server.mounted.append(mount[0])
            self.answer(201)
        else:
            port = self.server.server_address[1]
            self.answer(202, location=f"http://127.0.0.1:{port}/upload?state=1")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        if parts.path == "/upload":
            self.server.blobs[parse_qs(parts.query)["digest"][0]] = body
        else:
            self.server.manifests[parts.path] = body
        self.answer(201)

    def do_GET(self) -> None:
        body = self.server.manifests.get(self.path)
        self.answer(200 if body else 404, body or b"")


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    threading.Thread(target=fake.serve_forever, daemon=True).start()
    yield fake
    fake.shutdown()
    fake.server_close()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def saved() -> tarfile.TarFile:
    """One image as Docker 20 saves it, one as Docker 25 and newer do; both have a layer."""
    old = json.dumps({"rootfs": {"diff_ids": [f"sha256:{digest(SHARED)}"]}}).encode()
    new = json.dumps({"rootfs": {"diff_ids": ["sha256:plain", "sha256:plain-too"]}}).encode()
    manifest = [
        {"Config": "old.json", "RepoTags": ["bench/old:1"], "Layers": ["1/layer.tar"]},
        {
            "Config": "new.json",
            "RepoTags": ["bench/new:1"],
            "Layers": [f"blobs/sha256/{digest(SHARED)}", f"blobs/sha256/{digest(OWN)}"],
        },
    ]
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "old.json": old,
        "new.json": new,
        "1/layer.tar": SHARED,
        f"blobs/sha256/{digest(SHARED)}": SHARED,
        f"blobs/sha256/{digest(OWN)}": OWN,
    }
    return tarfile.open(fileobj=io.BytesIO(tar(files)))


def test_each_blob_is_sent_once_under_its_digest(server: FakeRegistry) -> None:
    registry = upload.Registry(f"http://127.0.0.1:{server.server_address[1]}")
    with saved() as archive:
        upload.send(registry, archive, "bench/old:1", "library/old:1")
        upload.send(registry, archive, "bench/new:1", "library/new:1")
    assert {f"sha256:{digest(body)}": body for body in server.blobs.values()} == server.blobs
    assert server.mounted == [f"sha256:{digest(SHARED)}"]


def test_a_manifest_says_how_its_layers_are_packed(server: FakeRegistry) -> None:
    registry = upload.Registry(f"http://127.0.0.1:{server.server_address[1]}")
    with saved() as archive:
        upload.send(registry, archive, "bench/new:1", "library/new:1")
    manifest = json.loads(server.manifests["/v2/library/new/manifests/1"])
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        upload.LAYER,
        f"{upload.LAYER}+gzip",
    ]
    assert [layer["size"] for layer in manifest["layers"]] == [len(SHARED), len(OWN)]


def test_a_tag_tells_what_it_was_made_from(server: FakeRegistry) -> None:
    registry = upload.Registry(f"http://127.0.0.1:{server.server_address[1]}")
    assert registry.made_from("library/new:1") is None
    with saved() as archive:
        upload.send(registry, archive, "bench/new:1", "library/new:1")
    assert registry.made_from("library/new:1") == "bench/new:1"
