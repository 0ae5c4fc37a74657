"""Build the application's images, push them, and hand their digests on.

Which images there are says the application's own compose.yml. BuildKit builds them side by side;
each is pushed under the commit's tag, gets its list of contents (SBOM) attached and, with a key, a
signature that names the tag.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.shell import PipelineError, ask, run, say, setting

FILE = "compose.yml"
CACHE = "cache"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Place:
    """Where images go: the registry with a path, the tag, whether it speaks plain HTTP."""

    registry: str
    version: str
    insecure: bool = False

    @property
    def host(self) -> str:
        """The registry alone, as `docker login` takes it."""
        return self.registry.partition("/")[0]

    def environment(self) -> dict[str, str]:
        """Return what the application's compose.yml reads."""
        return {"REGISTRY": self.registry, "VERSION": self.version}


def place() -> Place:
    """Read where to push from the settings; a name with capitals is GitHub's, not a registry's."""
    version = setting("VERSION")
    if not VERSION.fullmatch(version):
        raise PipelineError(f"VERSION is '{version}', which can be no image's tag.")
    insecure = setting("REGISTRY_INSECURE", "false") == "true"
    return Place(setting("REGISTRY").lower(), version, insecure)


def build(root: Path, where: Place) -> dict[str, str]:
    """Build, push, list and sign all images; return each repository's digest."""
    wanted = images(root, where)
    with login(where), tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder, "metadata.json")
        run(
            [
                *("docker", "buildx", "bake", f"--file={FILE}", "--push", "--progress=plain"),
                # One manifest an image: what it is made of and by whom is attached below.
                *("--provenance=false", f"--metadata-file={metadata}"),
                *cache_options(wanted),
                *wanted,
            ],
            folder=root,
            environment=where.environment(),
        )
        digests = built(wanted, json.loads(metadata.read_text()))
        for repository, digest in digests.items():
            attach(f"{repository}@{digest}", where, Path(folder))
    return digests


def images(root: Path, where: Place) -> dict[str, str]:
    """Return the repository of each image that the application's compose.yml builds."""
    bake = ("docker", "buildx", "bake", f"--file={FILE}", "--print")
    plan = json.loads(ask(bake, folder=root, environment=where.environment()))
    found, problems = {}, []
    for target, one in sorted(plan["target"].items()):
        tags = one.get("tags") or []
        repository, _, tag = (tags[0] if tags else "").rpartition(":")
        if len(tags) != 1 or tag != where.version or not repository.startswith(where.registry):
            problems.append(f"services.{target}.image is {', '.join(tags) or 'missing'}")
        found[target] = repository
    if problems or not found:
        raise PipelineError(
            f"{root / FILE}: {'; '.join(problems) or 'no service has a build'}. Name each image "
            f"${{REGISTRY}}/<name>:${{VERSION}}, so that it goes where the pipeline says."
        )
    return found


def cache_options(wanted: Mapping[str, str]) -> list[str]:
    """Keep the cache beside the images, where the builder can; the engine's own keeps it itself.

    CACHE is the tag that this build writes; it reads the one of reviewed code as well.
    """
    inspected = ask(["docker", "buildx", "inspect"])
    if re.search(r"^Driver:\s+docker$", inspected, re.MULTILINE):
        return []
    own = setting("CACHE", CACHE)
    read = dict.fromkeys((CACHE, own))
    return [
        f"--set={target}.{option}"
        for target, repository in wanted.items()
        for option in (
            *(f"cache-from=type=registry,ref={repository}:{tag}" for tag in read),
            f"cache-to=type=registry,ref={repository}:{own},mode=max,ignore-error=true",
        )
    ]


def built(wanted: Mapping[str, str], metadata: Mapping[str, Any]) -> dict[str, str]:
    """Read the digests of what was pushed out of BuildKit's own record."""
    found = {}
    for target, repository in wanted.items():
        digest = str(metadata.get(target, {}).get("containerimage.digest", ""))
        if not DIGEST.fullmatch(digest):
            raise PipelineError(f"BuildKit does not say under which digest it pushed {target}.")
        found[repository] = digest
    return found


def attach(image: str, where: Place, folder: Path) -> None:
    """Attach the list of contents; with a key, sign both it and the image for its version."""
    contents = folder / "sbom.spdx.json"
    plain = {"SYFT_REGISTRY_INSECURE_USE_HTTP": "true"} if where.insecure else {}
    scan = ["syft", "scan", f"registry:{image}", "--quiet", f"--output=spdx-json={contents}"]
    run(scan, environment={**plain, "SYFT_CHECK_FOR_APP_UPDATE": "false"})
    http = ["--allow-http-registry"] if where.insecure else []
    if not os.environ.get("COSIGN_PRIVATE_KEY"):
        say("COSIGN_PRIVATE_KEY is not set: the image is not signed.")
        run(["cosign", "attach", "sbom", *http, f"--sbom={contents}", "--type=spdx", image])
        return
    # The team's own key is the trust: no public log has to know of private images.
    common = ["--key=env://COSIGN_PRIVATE_KEY", "--tlog-upload=false", "--yes", *http]
    run(["cosign", "attest", *common, f"--predicate={contents}", "--type=spdxjson", image])
    # Last, so that what is signed is complete.
    run(["cosign", "sign", *common, f"--annotations=version={where.version}", image])


@contextmanager
def login(where: Place) -> Iterator[None]:
    """Be logged in to the registry, where there is a password; and not longer than that."""
    password = os.environ.get("REGISTRY_PASSWORD")
    if not password:
        yield
        return
    user = setting("REGISTRY_USER")
    ask(["docker", "login", "--username", user, "--password-stdin", where.host], data=password)
    try:
        yield
    finally:
        ask(["docker", "logout", where.host])
