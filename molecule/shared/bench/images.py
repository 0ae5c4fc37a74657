"""Build the bench's images: the server, the builder, the registry, and stand-ins for public ones.

An image is named by a hash over everything it is made from, so it is built once. Where a public
registry answers, the bases are its own and nothing stands in for anything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from bench.distributions import (
    DISTRIBUTIONS,
    ORDINARY,
    Distribution,
    import_root,
    keys,
)
from bench.engine import docker, exists
from bench.names import IMAGE_FOLDERS, LABEL, PREFIX, STATE
from bench.shell import BenchError, step

Source = Literal["public", "built"]

SWITCH: Final = "SLIPWAY_BASE_IMAGES"
REMEMBERED: Final = STATE / "base-images"
AUTHORITIES: Final = Path("/usr/local/share/ca-certificates")
AT_ONCE: Final = 2
ARCHIVE: Final = "archive"


@dataclass(frozen=True)
class Recipe:
    """One folder under molecule/shared/images, and what to build it with."""

    name: str
    base: str = ORDINARY
    tools: str | None = None  # the image that a first stage runs in
    arguments: Mapping[str, str] = field(default_factory=dict)
    stands_for: str | None = None
    # Whose folder it is, where several images are made from one.
    like: str | None = None

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.like or self.name


TRAEFIK: Final = "3.7.15"
NODE: Final = {
    "NODE_VERSION": "22.23.3",
    "NPM_VERSION": "10.9.9",
    "COREPACK_VERSION": "0.36.0",
}
RECIPES: Final[tuple[Recipe, ...]] = (  # what others wait for comes first
    *(Recipe(f"host-{name}", base=name, like="host") for name in DISTRIBUTIONS),
    Recipe("builder", base=f"host-{ORDINARY}"),
    Recipe("registry"),
    Recipe(ARCHIVE),
    Recipe("python", stands_for="python:3.13-slim"),
    Recipe("node", arguments=NODE, stands_for="node:22-slim"),
    Recipe("postgres", stands_for="postgres:17"),
    Recipe(
        "traefik",
        tools="python",
        arguments={"TRAEFIK_VERSION": TRAEFIK},
        stands_for=f"traefik:v{TRAEFIK}",
    ),
    Recipe("nginx", stands_for="nginx:1.29"),
)


def public_registry_answers(seconds: float = 4) -> bool:
    """Ask Docker Hub's registry; its "401, log in first" is an answer."""
    try:
        urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=seconds).close()
    except urllib.error.HTTPError as answer:
        return answer.code == 401  # noqa: PLR2004
    except OSError:
        return False
    return True


def source() -> Source:
    """Say where base images come from: the switch, what was found before, or Docker Hub itself."""
    wanted = os.environ.get(SWITCH)
    if wanted is None and REMEMBERED.exists():
        wanted = REMEMBERED.read_text().strip()
    if wanted is None:
        wanted = "public" if public_registry_answers() else "built"
        STATE.mkdir(mode=0o700, exist_ok=True)
        REMEMBERED.write_text(wanted + "\n")
    if wanted == "public":
        return "public"
    if wanted == "built":
        return "built"
    raise BenchError(f"{SWITCH} is {wanted!r}: say public or built, or leave it unset")


def digest(*parts: bytes) -> str:
    """Return twelve hex digits over the parts, which cannot run into each other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:12]


def folder_parts(folder: Path) -> list[bytes]:
    """Return the names and contents of a folder's files, in one order everywhere."""
    parts = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts += [file.relative_to(folder).as_posix().encode(), file.read_bytes()]
    return parts


def authorities(folder: Path = AUTHORITIES) -> list[Path]:
    """Return the certificate authorities that this machine trusts besides Debian's."""
    return sorted(folder.glob("*.crt")) if folder.is_dir() else []


def build_arguments(recipe: Recipe, found: Mapping[str, str]) -> dict[str, str]:
    """Return the Dockerfile's arguments; `found` holds the names of the images made before."""
    arguments = {"BASE": found[recipe.base], **recipe.arguments}
    if recipe.tools is not None:
        arguments["TOOLS"] = found[recipe.tools]
    return arguments


def tags(
    recipes: Sequence[Recipe], bases: Mapping[str, str], folders: Path = IMAGE_FOLDERS
) -> dict[str, str]:
    """Return each recipe's image name; a parent's name is among the inputs of its children."""
    found = dict(bases)
    for recipe in recipes:
        given = [f"{key}={value}" for key, value in build_arguments(recipe, found).items()]
        key = digest(*map(str.encode, given), *folder_parts(folders / recipe.folder))
        found[recipe.name] = f"{PREFIX}/{recipe.name}:{key}"
    return found


def wanted_recipes(origin: Source, hosts: Collection[str]) -> tuple[Recipe, ...]:
    """Return what to build for servers of those distributions.

    Stand-ins only where the real thing cannot be had; the builder is an ordinary server.
    """
    unwanted = {f"host-{name}" for name in DISTRIBUTIONS.keys() - {ORDINARY, *hosts}}
    if origin == "public":
        unwanted |= {one.name for one in RECIPES if one.stands_for is not None}
    if origin == "public" or not any(DISTRIBUTIONS[one].docker_source == "docker" for one in hosts):
        unwanted.add(ARCHIVE)
    return tuple(one for one in RECIPES if one.name not in unwanted)


def run_ordered(
    recipes: Sequence[Recipe], work: Callable[[Recipe], None], at_once: int = AT_ONCE
) -> None:
    """Do the work for every recipe, a few at a time, each after its base; first failure wins."""
    waiting = list(recipes)
    running: dict[Future[None], Recipe] = {}
    done = set(DISTRIBUTIONS)
    with ThreadPoolExecutor(at_once) as pool:
        while waiting or running:
            ready = [one for one in waiting if {one.base, one.tools or one.base} <= done]
            for one in ready[: at_once - len(running)]:
                waiting.remove(one)
                running[pool.submit(work, one)] = one
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done.add(running.pop(future).name)
                future.result()


def build(folder: Path, tag: str, arguments: Mapping[str, str], log: str) -> None:
    """Build one Dockerfile; the machine's own network, since its name server may need it."""
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    common = ("build", "--quiet", "--network=host", f"--label={LABEL}=1", f"--tag={tag}")
    docker(*common, *given, folder, log=log)


def base_tag(distribution: Distribution, origin: Source) -> str:
    """Return the name of a distribution's base image, by all that it is made from."""
    extra = authorities()
    parts = [part for file in extra for part in (file.name.encode(), file.read_bytes())]
    parts += [origin.encode(), *map(str.encode, distribution.making())]
    return f"{PREFIX}/base:{digest(*parts, *folder_parts(IMAGE_FOLDERS / 'base'))}"


def base_tags(origin: Source) -> dict[str, str]:
    """Return the name of each distribution's base image, by the distribution's name."""
    return {name: base_tag(one, origin) for name, one in DISTRIBUTIONS.items()}


def ensure_base(name: str, origin: Source) -> str:
    """Return the name of a distribution's base image, made if it is missing."""
    distribution = DISTRIBUTIONS[name]
    tag = base_tag(distribution, origin)
    if exists("image", tag):
        return tag
    root = distribution.public if origin == "public" else ensure_root(name, origin)
    with step(f"Build image base of {name}"), tempfile.TemporaryDirectory() as context:
        shutil.copytree(IMAGE_FOLDERS / "base", context, dirs_exist_ok=True)
        Path(context, "authorities").mkdir()
        for file in authorities():
            shutil.copy(file, Path(context, "authorities", file.name))
        Path(context, "authorities", "none").touch()  # COPY wants at least one file
        build(Path(context), tag, {"BASE": root}, log=f"image-base-{name}")
    return tag


def ensure_root(name: str, origin: Source) -> str:
    """Return the image of a distribution's root file system, made if it is missing."""
    distribution = DISTRIBUTIONS[name]
    root = f"{PREFIX}/root:{digest(' '.join(distribution.making()).encode())}"
    if not exists("image", root):
        archive_keys = b""
        if distribution.keyring:
            archive_keys = keys(distribution.keyring, ensure_base(ORDINARY, origin))
        with step(f"Make a root file system of {name}"):
            import_root(distribution, root, archive_keys)
    return root


def names() -> dict[str, str]:
    """Return the name of every image, built or not, by its recipe's name."""
    return tags(RECIPES, base_tags(source()))


def ensure(
    only: Collection[str] | None = None, hosts: Collection[str] = (ORDINARY,)
) -> dict[str, str]:
    """Build what is missing; return each recipe's image name by the recipe's name.

    `only` names the recipes that are needed; none of them may build on another. `hosts` are the
    distributions of the servers.
    """
    origin = source()
    recipes = [one for one in wanted_recipes(origin, hosts) if only is None or one.name in only]
    found = tags(recipes, base_tags(origin))
    for name in DISTRIBUTIONS.keys() & {one.base for one in recipes}:
        ensure_base(name, origin)

    def make(recipe: Recipe) -> None:
        tag = found[recipe.name]
        if not exists("image", tag):
            with step(f"Build image {recipe.name}"):
                arguments = build_arguments(recipe, found)
                build(IMAGE_FOLDERS / recipe.folder, tag, arguments, log=f"image-{recipe.name}")

    run_ordered(recipes, make)
    return found
