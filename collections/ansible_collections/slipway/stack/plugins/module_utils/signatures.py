"""Whether images are what the pipeline built: signed by one of its keys, for this very version.

A signature by cosign covers the digest and, as the annotation `version`, the tag that the image was
pushed under. So neither another image nor an older one of one's own can take a tag's place.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    image_reference,
    services_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import (
    Engine,
    EngineError,
    registry_host,
)

COSIGN = "/usr/local/bin/cosign"
VERIFY_SECONDS = 60
AT_ONCE = 4  # a process each, of some tens of megabytes
SHOWN = 300  # characters of what cosign says


@dataclass(frozen=True)
class Suspect:
    """An image to be checked: as a service names it, with its tag, and by digest."""

    service: str
    tagged: str
    image: str

    @property
    def version(self) -> str:
        """The tag that the signature must be for."""
        return self.tagged.rpartition(":")[2]


def doubts(
    model: dict[str, Any],
    version: str,
    images: Mapping[str, str],
    engine: Engine,
    *,
    keys: Sequence[str],
    digests: Mapping[str, str],
) -> list[str]:
    """Say which images must not run, and why; nothing where there are no keys to check with.

    `images` is each service's image by digest. Those of `digests` must also still be what their tag
    leads to: a tag that was moved after the build is a sign of somebody at the registry.
    """
    if not keys:
        return []
    found = suspects(model, version, images)
    insecure = insecure_registries(engine)
    with tempfile.TemporaryDirectory(prefix="slipway-keys-") as folder:
        files = [Path(folder, f"{number}.pub") for number in range(len(keys))]
        for file, key in zip(files, keys, strict=True):
            file.write_text(key if key.endswith("\n") else f"{key}\n")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            unsigned = pool.map(
                lambda one: unsigned_because(
                    one, files, insecure=registry_host(one.image) in insecure
                ),
                found,
            )
            moved = pool.map(lambda one: moved_because(one, engine, digests), found)
            return [reason for reason in (*unsigned, *moved) if reason]


def suspects(model: dict[str, Any], version: str, images: Mapping[str, str]) -> list[Suspect]:
    """List each image once, but those whose digest stands in the inventory, which is trusted."""
    found = {
        images[name]: Suspect(name, image_reference(service["image"], version), images[name])
        for name, service in sorted(services_of(model).items(), reverse=True)
        if "@" not in service["image"]
    }
    return sorted(found.values(), key=lambda one: one.service)


def unsigned_because(one: Suspect, keys: Sequence[Path], *, insecure: bool) -> str:
    """Say why no key's signature holds for an image, or nothing when one does."""
    said = ""
    for key in keys:
        said = refused_because(one, key, insecure=insecure)
        if not said:
            return ""
    return (
        f"Image: that of stack_services.{one.service} is not signed by a key of stack_verify_keys "
        f"for version '{one.version}': {one.image}. Do not deploy it before you know who pushed "
        f"it. If it is yours: sign it with -a version={one.version}, as the pipeline does, or name "
        f"it by digest. (cosign: {said})"
    )


def refused_because(one: Suspect, key: Path, *, insecure: bool) -> str:
    """Ask cosign about one key; return what it says against the image, or nothing."""
    command = [
        *(COSIGN, "verify", f"--key={key}", f"--annotations=version={one.version}"),
        # The key is the trust: no public log has to know of a private registry's images.
        "--insecure-ignore-tlog=true",
        *(["--allow-http-registry", "--allow-insecure-registry"] if insecure else []),
        *("--output=json", one.image),
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERIFY_SECONDS,
            env={**os.environ, "HOME": str(Path.home()), "COSIGN_EXPERIMENTAL": "0"},
            check=False,
        )
    except FileNotFoundError:
        return f"{COSIGN} is missing: run playbooks/provision.yml with the same inventory"
    except subprocess.TimeoutExpired:
        return f"it did not end within {VERIFY_SECONDS} s: does the registry answer?"
    if done.returncode == 0:
        return ""
    lines = done.stderr.splitlines()
    reason = next((line for line in lines if line.startswith("Error: ")), done.stderr.strip())
    return reason.removeprefix("Error: ")[:SHOWN] or f"exit code {done.returncode}"


def moved_because(one: Suspect, engine: Engine, digests: Mapping[str, str]) -> str:
    """Say that a tag leads elsewhere than the digest that was handed on, or nothing."""
    repository = one.image.partition("@")[0]
    if repository not in digests:
        return ""
    try:
        there = engine.resolve(one.tagged, engine.platform())
    except EngineError as error:
        there = str(error)
    if there == one.image:
        return ""
    return (
        f"Image: the tag {one.tagged} of stack_services.{one.service} no longer leads to what the "
        f"pipeline built, {one.image}, but: {there}. It was moved after the build. Find out by "
        f"whom, then run the pipeline again."
    )


def insecure_registries(engine: Engine) -> set[str]:
    """Name the registries that the engine was told to speak to without a trusted certificate."""
    _, info = engine.ask("/info")
    known = (info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    return {name for name, one in known.items() if not one.get("Secure", True)}
