"""Asking a command what it would do: its `plan`, in a throw-away container of the new image.

The container has the new release's image, environment, networks and limits, and the secrets of the
release that serves, since those of the new one are not on the host yet. All volumes are read-only.
Nothing of it stays: no container, no file, no network.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.command import redacted
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    Release,
    commands_of,
    compose_definition,
    literal,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import Manifest, StackDirectory

MEMORY_FILES = Path("/run")
LINES = 40
FAILED = "' failed: "  # between the command line and what it wrote, in the engine's errors
LIMIT_SECONDS = 60


def rehearse(
    directory: StackDirectory,
    engine: Engine,
    model: dict[str, Any],
    manifest: Manifest,
    serving: str | None,
) -> list[str]:
    """Return, for each command that has a `plan`, what it says that it would do."""
    lines = []
    for command in commands_of(model):
        if not command["plan"]:
            continue
        image = manifest.images[command["service"]]
        if not serving:
            said = "not asked: nothing serves yet, so that all of it is to be done"
        elif not engine.has_image(image):
            said = f"not known: the image is not on the host. To see it: docker pull {image}"
        else:
            definition = throwaway(directory, model, manifest, serving, command)
            said = redacted(
                _output(
                    engine, definition, command["name"], min(command["timeout"], LIMIT_SECONDS)
                ),
                directory,
                serving,
            )
        lines += [f"{command['name']} would do:", *indented(said)]
    return lines


def indented(text: str) -> list[str]:
    """Return the last lines of a text, set in."""
    return [f"  {line}".rstrip() for line in text.splitlines()[-LINES:]] or ["  (nothing)"]


def throwaway(
    directory: StackDirectory,
    model: dict[str, Any],
    manifest: Manifest,
    serving: str,
    command: dict[str, Any],
) -> dict[str, Any]:
    """Build a compose file with nothing but the command's container, unable to change a file."""
    whole = compose_definition(
        model, Release(manifest.id, manifest.bank, manifest.version, manifest.images)
    )
    place = directory.release(serving)
    kept = {"image", "environment", "networks", "network_mode", "extra_hosts", "user", "read_only"}
    kept |= {"tmpfs", "cap_drop", "cap_add", "security_opt", "mem_limit", "cpus", "pids_limit"}
    entry = whole["services"][command["name"]]
    sources = {
        one["source"]: place / whole["secrets"][one["source"]]["file"]
        for one in entry.get("secrets", [])
    }
    there = {name: {"file": str(path)} for name, path in sources.items() if path.exists()}
    volumes = [
        {**volume, "source": str(place / volume["source"]), "read_only": True}
        for volume in entry.get("volumes", [])
    ]
    return {
        "name": f"{model['name']}-plan",
        "services": {
            command["name"]: {
                **{key: value for key, value in entry.items() if key in kept},
                "command": literal(command["plan"]),
                "restart": "no",
                "secrets": [one for one in entry.get("secrets", []) if one["source"] in there],
                "volumes": [one for one in volumes if Path(one["source"]).exists()],
            }
        },
        "networks": {name: whole["networks"][name] for name in entry.get("networks", {})},
        "secrets": there,
    }


def _output(engine: Engine, definition: dict[str, Any], name: str, limit: int) -> str:
    """Run the container to its end and return what it wrote, or why it did not."""
    place = Path(mkdtemp(prefix="slipway-plan-", dir=MEMORY_FILES))
    container = f"{definition['name']}-{name}-{secrets.token_hex(4)}"
    try:
        (place / "compose.yml").write_text(json.dumps(definition))
        return engine.compose(
            place,
            *("run", "--rm", "--no-deps", "--no-TTY", "--interactive=false"),
            *("--name", container, name),
            timeout=limit,
        )
    except EngineError as error:
        said = str(error)
        return f"not known: {said.partition(FAILED)[2] or said}"
    finally:
        # The engine removes it by itself at its end, unless the time was up before.
        engine.remove(container)
        shutil.rmtree(place)
