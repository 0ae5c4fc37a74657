"""What the bench calls its things, and where it keeps its state."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
STATE: Final = ROOT / ".bench"
LOGS: Final = STATE / "log"
IMAGE_FOLDERS: Final = Path(__file__).resolve().parents[1] / "images"

LABEL: Final = "io.slipway.bench"
PREFIX: Final = "slipway-bench"
NETWORK: Final = PREFIX

REGISTRY: Final = f"{PREFIX}-registry"
REGISTRY_NAME: Final = "registry.slipway.test:5000"  # what the servers on the network call it
REGISTRY_DOOR: Final = "127.0.0.1:5055"  # what this machine calls it

ARCHIVE: Final = f"{PREFIX}-archive"
ARCHIVE_NAME: Final = "download.docker.com"  # whom it stands in for

BUILDER: Final = f"{PREFIX}-builder"

PRIVATE_KEY: Final = STATE / "id_ed25519"
FACTS: Final = STATE / "bench.json"
