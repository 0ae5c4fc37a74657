"""The sample's development environment, which is `docker compose up` in its folder.

The sample's own files are an ordinary machine's. What the bench adds stands in a further file:
where no public registry answers, builds take the machine's own network, because its name server may
need that. The base images are then the stand-ins, under the names that the Dockerfiles ask for.
"""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import sysconfig
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from bench import application, engine, images
from bench.engine import client, docker, exists
from bench.names import LABEL, PREFIX, ROOT, STATE
from bench.shell import BenchError, run, succeeds

FILES: Final = ("compose.yml", "compose.override.yml")  # what Compose itself takes
IMAGES: Final = frozenset({"python", "node", "postgres"})  # recipes that the sample needs
PORTS: Final = (3000, 8000)
OWNER: Final = "1000:1000"  # who owns a working copy, as compose.override.yml has it
VARIABLE: Final = "DEVELOPER="
TESTS: Final = ROOT / "molecule" / "development"


@dataclass(frozen=True)
class Project:
    """Compose files in a folder, by the names that Compose knows them."""

    folder: Path
    name: str = "example"
    files: tuple[str, ...] = FILES
    variables: Mapping[str, str] | None = None

    def command(self, *words: str) -> list[str]:
        """Return a command of Compose's for this project."""
        files = [f"--file={file}" for file in self.files]
        return [*composer(), f"--project-name={self.name}", *files, *words]

    def compose(self, *words: str) -> str:
        """Run a command of Compose's and return what it printed."""
        return run(
            self.command(*words),
            log="development",
            environment=self.variables,
            folder=self.folder,
        )

    def with_file(self, path: Path, content: Mapping[str, Any]) -> Project:
        """Lay one more file over the others, unless there is nothing in it."""
        if not content:
            return self
        STATE.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")
        return replace(self, files=(*self.files, str(path)))

    def definition(self) -> dict[str, Any]:
        """Return what the last of the files says."""
        found: dict[str, Any] = yaml.safe_load((self.folder / self.files[-1]).read_text())
        return found


def composer() -> list[str]:
    """Return how Compose is called: the client's plug-in, or the one beside this Python."""
    plugin = [client(), "compose"]
    if succeeds([*plugin, "version"]):
        return plugin
    return [str(Path(sysconfig.get_path("scripts"), "docker-compose"))]


def prepare() -> None:
    """Have an engine that answers, and on it the images that the sample's are made from."""
    engine.ensure()
    if images.source() == "built":
        name_stand_ins(images.ensure(IMAGES))


def name_stand_ins(made: Mapping[str, str]) -> None:
    """Give the stand-ins the public names; an image that somebody pulled keeps its own."""
    for recipe in images.RECIPES:
        public = recipe.stands_for
        if public is None or recipe.name not in made:
            continue
        ours = docker(
            *("image", "ls", "--quiet", f"--filter=label={LABEL}", f"--filter=reference={public}")
        )
        if ours or not exists("image", public):
            docker("tag", made[recipe.name], public)


def machine_part(definition: Mapping[str, Any], origin: images.Source) -> dict[str, Any]:
    """Return what this machine needs besides a compose file; nothing on an ordinary one."""
    if origin == "public":
        return {}
    building = [name for name, one in definition["services"].items() if "build" in one]
    return {"services": {name: {"build": {"network": "host"}} for name in building}}


def throwaway_part(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return labels for all that a compose file makes, and names of the bench's for its images."""
    labels = {"labels": {LABEL: "1"}}
    services: dict[str, dict[str, Any]] = {}
    for name, service in definition["services"].items():
        services[name] = {**labels}
        if service["image"].endswith(":development"):
            services[name]["image"] = f"{PREFIX}/{service['image']}"
        if "build" in service:
            services[name]["build"] = labels
    return {
        "services": services,
        "networks": {"default": labels},
        "volumes": dict.fromkeys(definition["volumes"], labels),
    }


def remember_owner(folder: Path) -> None:
    """Write down in .env who owns the folder, where Compose would take somebody else for it."""
    status = folder.stat()
    owner = f"{status.st_uid}:{status.st_gid}"
    file = folder / ".env"
    text = file.read_text() if file.exists() else ""
    if owner != OWNER and not text.startswith(VARIABLE) and f"\n{VARIABLE}" not in text:
        file.write_text(f"{VARIABLE}{owner}\n{text}")
        os.chown(file, status.st_uid, status.st_gid)


def own() -> Project:
    """Return the working copy's own environment."""
    project = Project(application.SOURCE)
    remember_owner(project.folder)
    part = machine_part(project.definition(), images.source())
    return project.with_file(STATE / "development.json", part)


def become(command: list[str], folder: Path) -> None:
    """Let the command take this process's place, and with it the terminal and its signals."""
    os.chdir(folder)
    os.execvp(command[0], command)  # noqa: S606


def up() -> None:
    """Run the working copy until Ctrl-C."""
    prepare()
    become(own().command("up", "--build"), application.SOURCE)


def reset() -> None:
    """Make the working copy's database anew."""
    prepare()
    words = ("run", "--rm", "setup", "python", "manage.py", "reset_database")
    become(own().command(*words), application.SOURCE)


def check() -> None:
    """Try the environment in a browser, with a copy of the sample, and remove it."""
    prepare()
    become([sys.executable, "-m", "pytest", "--quiet", str(TESTS)], ROOT)


def copy(target: Path) -> Project:
    """Unpack the sample for somebody who is not root; return its environment, to be thrown away.

    Raises BenchError when a port that it needs is taken.
    """
    for port in PORTS:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                raise BenchError(f"Port {port} is taken: end what listens there, maybe `make dev`")
    with tarfile.open(fileobj=io.BytesIO(application.pack(application.SOURCE))) as tar:
        tar.extractall(target, filter="data")
    if os.geteuid() == 0:
        run(["chown", "--recursive", "1234:1234", target])
    remember_owner(target)
    project = Project(target, f"{PREFIX}-development", variables={"POSTGRES_PORT": "15432"})
    definition = project.definition()
    return project.with_file(
        STATE / "development-machine.json", machine_part(definition, images.source())
    ).with_file(STATE / "development-throwaway.json", throwaway_part(definition))
