"""A door for a pipeline that may ask for deploys and for nothing else.

The pipeline's key is bound to this program by `command=` in a controller's authorized_keys. The
controller has the inventories, the vault's password and the key to the servers; the pipeline has
none of them. What it asks for comes as JSON on standard input and is checked here, field by field.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from ansible_collections.slipway.stack.plugins.module_utils.outcome import FAILED, Outcome

from pipeline.deploy import child_environment, ssh_options
from pipeline.images import DIGEST, VERSION
from pipeline.shell import PipelineError

MARK = "slipway-outcome: "
LONGEST = 64 * 1024
MOST_IMAGES = 50
REPOSITORY = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,254}")
# Who asks, for the history and for the order of deploys: these variables and no others.
RUN = {
    "GITHUB_RUN_NUMBER": re.compile(r"[1-9][0-9]{0,11}"),
    "GITHUB_RUN_ID": re.compile(r"[0-9]{1,20}"),
    "GITHUB_SHA": re.compile(r"[0-9a-f]{7,64}"),
    "GITHUB_ACTOR": re.compile(r"[A-Za-z0-9][A-Za-z0-9_\[\]-]{0,60}"),
    "GITHUB_SERVER_URL": re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?"),
    "GITHUB_REPOSITORY": re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+"),
}
Deploy = Callable[[str, str, Mapping[str, str]], Outcome]


def ask(destination: str, environment: str, version: str, digests: Mapping[str, str]) -> Outcome:
    """Ask a gate for a deploy, show what it says, and return how it ended."""
    asked = {
        "environment": environment,
        "version": version,
        "digests": dict(digests),
        "run": {name: os.environ[name] for name in RUN if os.environ.get(name)},
    }
    found = Outcome(FAILED, message="The gate did not say how the deploy ended: see its output.")
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        command = ["ssh", "-T", *ssh_options(Path(folder)), "--", destination, "deploy"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(os.environ),
            text=True,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise PipelineError("ssh has no input and output.")
            process.stdin.write(json.dumps(asked))
            process.stdin.close()
            for line in process.stdout:
                if line.startswith(MARK):
                    found = Outcome(**json.loads(line.removeprefix(MARK)))
                else:
                    print(line, end="", flush=True)
    return found


def serve(allowed: list[str], source: TextIO, deploy: Deploy) -> int:
    """Do what is asked on standard input, and end with the outcome; 2 for what is refused."""
    try:
        wanted = checked(source.read(LONGEST + 1), allowed)
    except PipelineError as error:
        print(f"The gate refuses this: {error}", file=sys.stderr)
        return 2
    os.environ.update(wanted["run"])
    outcome = deploy(wanted["environment"], wanted["version"], wanted["digests"])
    print(MARK + json.dumps(asdict(outcome)), flush=True)
    return 0


def checked(text: str, allowed: list[str]) -> dict[str, Any]:
    """Return what is asked for when each part of it is of its form; else PipelineError."""
    try:
        asked = json.loads(text) if len(text) <= LONGEST else None
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or set(asked) != {"environment", "version", "digests", "run"}:
        raise PipelineError("it is no request for a deploy.")
    if asked["environment"] not in allowed:
        raise PipelineError(f"only these may be deployed to: {', '.join(allowed)}.")
    run = asked["run"]
    if not isinstance(run, dict) or not run.get("GITHUB_RUN_NUMBER"):
        raise PipelineError("it does not say its run's number, which keeps deploys in order.")
    _fit("version", [asked["version"]], VERSION)
    for name, value in run.items():
        if name not in RUN:
            raise PipelineError(f"it may not set {name!r}.")
        _fit(name, [value], RUN[name])
    digests = asked["digests"]
    if not isinstance(digests, dict) or not 0 < len(digests) <= MOST_IMAGES:
        raise PipelineError("digests is no object of repositories and digests.")
    _fit("digests", list(digests), REPOSITORY)
    _fit("digests", list(digests.values()), DIGEST)
    return asked


def _fit(name: str, values: list[Any], pattern: re.Pattern[str]) -> None:
    for value in values:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise PipelineError(f"{name} is not of its form.")
