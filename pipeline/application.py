"""What an application tells the pipeline of itself: the file slipway.toml in its root.

[checks.backend-tests]           # each check is a job of its own
folder = "backend"
postgres = "postgres:17"         # optional: a database of that image, see checks.py
run = ["uv run --locked pytest"] # one command after the other; no shell reads them

[smoke]                          # asked of each environment that was deployed to
"/" = 200
"""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.shell import PipelineError

FILE = "slipway.toml"
CHECK_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
FIELDS = {"folder": str, "postgres": str, "run": list}


@dataclass(frozen=True)
class Check:
    """Commands that prove a part of the application, in a folder, beside a database or not."""

    name: str
    folder: str
    run: tuple[tuple[str, ...], ...]
    postgres: str = ""


@dataclass(frozen=True)
class Application:
    """The checks by name, and the status that each path of a deployed environment answers."""

    root: Path
    checks: dict[str, Check]
    smoke: dict[str, int]


def read(root: Path) -> Application:
    """Read the file; PipelineError names all that is wrong with it."""
    path = root / FILE
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise PipelineError(
            f"{path} is missing: the pipeline has nothing to check. docs/pipeline.md shows one."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{path} is no TOML: {error}.") from error
    problems = [f"{name} is unknown" for name in sorted(set(data) - {"checks", "smoke"})]
    checks, smoke = data.get("checks"), data.get("smoke", {})
    if not isinstance(checks, dict) or not checks:
        problems.append("checks is missing: nothing may be built that nobody has checked")
        checks = {}
    for name, check in checks.items():
        problems += _check_problems(root, name, check)
    problems += _smoke_problems(smoke)
    if problems:
        raise PipelineError("\n  - ".join([f"{path} is wrong:", *problems]))
    return Application(root, {name: _check(name, one) for name, one in checks.items()}, smoke)


def _check(name: str, given: dict[str, Any]) -> Check:
    run = tuple(tuple(shlex.split(line)) for line in given["run"])
    return Check(name, given.get("folder", "."), run, given.get("postgres", ""))


def _check_problems(root: Path, name: str, given: Any) -> list[str]:
    """List what is wrong with one check."""
    place = f"checks.{name}"
    if not CHECK_NAME.fullmatch(name):
        return [f"{place}: a name has lower-case letters, digits and dashes"]
    if not isinstance(given, dict):
        return [f"{place} is not a table"]
    found = [f"{place}.{field} is unknown" for field in sorted(set(given) - set(FIELDS))]
    found += [
        f"{place}.{field} is not a {kind.__name__}"
        for field, kind in FIELDS.items()
        if field in given and not isinstance(given[field], kind)
    ]
    if found:
        return found
    lines = given.get("run")
    if not lines or not all(isinstance(line, str) and line.strip() for line in lines):
        found.append(f"{place}.run is not a list of commands")
    if not (root / given.get("folder", ".")).is_dir():
        found.append(f"{place}.folder: {given['folder']} is no folder of the application")
    return found


def _smoke_problems(given: Any) -> list[str]:
    if not isinstance(given, dict):
        return ["smoke is not a table"]
    return [
        f"smoke: {path!r} = {status!r} is not a path with the status that it answers"
        for path, status in given.items()
        if not path.startswith("/") or type(status) is not int or not 100 <= status <= 599  # noqa: PLR2004
    ]
