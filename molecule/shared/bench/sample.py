"""Check the sample application by its own linters and tests, each part of it in a container.

The containers reach nothing but each other: packages are installed when an image is built, which is
named by its lock files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import application, images
from bench.engine import client, docker, exists
from bench.names import IMAGE_FOLDERS, LABEL, PREFIX
from bench.shell import BenchError, step, wait_until

UV_VERSION: Final = "UV_VERSION"  # the Makefile's pin
POSTGRES: Final = f"{PREFIX}-example-postgres"
ACCOUNT: Final = "app"  # what the backend's tests take where nothing else is said


@dataclass(frozen=True)
class Part:
    """A folder of the sample: the image that its own is made from, and what checks it."""

    name: str
    base: str
    locks: tuple[str, ...]
    checks: str

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return application.SOURCE / self.name

    @property
    def title(self) -> str:
        """What its image and its container are called."""
        return f"example-{self.name}"


BACKEND: Final = Part(
    "backend",
    base="python",
    locks=("pyproject.toml", "uv.lock"),
    checks="ruff check && ruff format --check && mypy . && pytest --quiet",
)
FRONTEND: Final = Part(
    "frontend",
    base="node",
    locks=("package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"),
    checks="pnpm lint && pnpm build && pnpm test",
)


def base_image(recipe: str, made: Mapping[str, str]) -> str:
    """Return the stand-in that was made by a recipe, or the public image where there is none."""
    public = {one.name: one.stands_for for one in images.RECIPES if one.stands_for is not None}
    return made.get(recipe, public[recipe])


def tag(part: Part, arguments: Mapping[str, str]) -> str:
    """Return the name of a part's image, by all that it is made from."""
    given = [f"{key}={value}".encode() for key, value in arguments.items()]
    locks = [(part.folder / name).read_bytes() for name in part.locks]
    files = images.folder_parts(IMAGE_FOLDERS / part.title)
    return f"{PREFIX}/{part.title}:{images.digest(*given, *locks, *files)}"


def ensure_image(part: Part, made: Mapping[str, str]) -> str:
    """Return the name of the image that a part is checked in, built if it is missing."""
    arguments = {"BASE": base_image(part.base, made)}
    if part is BACKEND:
        if UV_VERSION not in os.environ:
            raise BenchError(f"{UV_VERSION} is not set: run `make example`, which knows it")
        arguments[UV_VERSION] = os.environ[UV_VERSION]
    name = tag(part, arguments)
    if not exists("image", name):
        with step(f"Build image {part.title}"), tempfile.TemporaryDirectory() as context:
            shutil.copytree(IMAGE_FOLDERS / part.title, context, dirs_exist_ok=True)
            for lock in part.locks:
                shutil.copy(part.folder / lock, context)
            images.build(Path(context), name, arguments, log=f"image-{part.title}")
    return name


@contextmanager
def container(name: str, *arguments: str) -> Iterator[str]:
    """Create a container, and remove it in the end; one that was left behind goes first."""

    def remove() -> None:
        if exists("container", name):
            docker("rm", "--force", "--volumes", name)

    remove()
    try:
        docker("create", f"--name={name}", f"--label={LABEL}=1", *arguments)
        yield name
    finally:
        remove()


@contextmanager
def postgres(image: str) -> Iterator[str]:
    """Run a database that is lost in the end; return its container's name."""
    account = (f"--env=POSTGRES_USER={ACCOUNT}", f"--env=POSTGRES_PASSWORD={ACCOUNT}")
    server = (image, "postgres", "-c", "fsync=off")
    with container(POSTGRES, "--network=none", *account, *server) as name:
        docker("start", name)
        answers = [client(), "exec", name, "pg_isready", "-h", "127.0.0.1", "-U", ACCOUNT]
        wait_until("Postgres answers", answers, seconds=60)
        yield name


def check(part: Part, image: str, network: str = "none") -> None:
    """Run a part's checks; raises BenchError with the end of what they said when one fails."""
    shell = ("sh", "-ec", part.checks)
    with (
        step(f"Check the sample's {part.name}"),
        container(f"{PREFIX}-{part.title}", f"--network={network}", image, *shell) as name,
    ):
        docker("cp", "-", f"{name}:/app", data=application.pack(part.folder))
        docker("start", "--attach", name, log=part.title)


def run() -> None:
    """Check both parts, one after the other."""
    made = images.ensure()
    check(FRONTEND, ensure_image(FRONTEND, made))
    image = ensure_image(BACKEND, made)
    with postgres(base_image("postgres", made)) as database:
        check(BACKEND, image, network=f"container:{database}")
