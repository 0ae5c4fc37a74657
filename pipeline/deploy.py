"""Deploy digests to an environment, with the shipped playbook, and say how it ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.outcome import FAILED, STALE, Outcome
from ansible_collections.slipway.stack.plugins.module_utils.preview import request_problem

from pipeline.images import DIGEST, VERSION
from pipeline.shell import PipelineError, say, setting

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Another run may roll and soak before it is this one's turn.
LOCK_WAIT = "1800"
# As often as others come between the plan and the roll; each of them has deployed meanwhile.
MOST_PLANS = 10


def deploy(environment: str, version: str, digests: Mapping[str, str]) -> Outcome:
    """Run deploy.yml; return how it ended, also when it failed."""
    return play("deploy.yml", environment, variables_for(version, digests))


def branch_named(state: str) -> str:
    """Return BRANCH, checked here: Ansible would run a template in it before it looks at it."""
    branch = setting("BRANCH")
    if problem := request_problem(branch, state):
        raise PipelineError(problem)
    return branch


def preview(environment: str, branch: str, version: str, digests: Mapping[str, str]) -> Outcome:
    """Bring the preview of a branch up beside an environment; otherwise as `deploy`."""
    variables = {"branch": branch, **variables_for(version, digests)}
    return play("playbooks/preview.yml", environment, variables)


def remove_preview(environment: str, branch: str) -> Outcome:
    """Remove the preview of a branch, if there is one; PipelineError when that failed."""
    variables = {"branch": branch, "state": "absent", "stack_lock_wait": lock_wait()}
    ended = play("playbooks/preview.yml", environment, variables)
    # No stack is planned, so a removal that went well has no word of its own.
    if ended.message:
        raise PipelineError(f"The preview of '{branch}' is not removed: {ended.message}")
    return ended


def play(playbook: str, environment: str, variables: Mapping[str, Any]) -> Outcome:
    """Run a playbook for an environment, anew when another deploy came between plan and roll.

    Return how it ended, also when it failed.
    """
    inventory = inventory_of(environment)
    for _ in range(MOST_PLANS):
        ended = play_once(playbook, inventory, variables)
        if ended.result != STALE:
            return ended
        say(f"{ended.message}\nIt is still wanted: planning anew.")
    return replace(ended, result=FAILED)


def play_once(playbook: str, inventory: str, variables: Mapping[str, Any]) -> Outcome:
    """Run a playbook with an inventory; return how it ended, also when it failed."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as name:
        folder = Path(name)
        outcome, given = folder / "outcome.json", folder / "variables.json"
        given.write_text(json.dumps(variables))
        sys.stdout.flush()
        ended = subprocess.run(
            ["ansible-playbook", playbook, "-i", inventory, "-e", f"@{given}"],
            cwd=ROOT,
            env={
                **child_environment(os.environ),
                **access(folder),
                "SLIPWAY_OUTCOME": str(outcome),
            },
            stdin=subprocess.DEVNULL,
            check=False,
        )
        found = read_outcome(outcome)
    # What ended badly says why; what does not say so broke off.
    if ended.returncode == 0 or found.message:
        return found
    return Outcome(
        FAILED, message=f"ansible-playbook ended with code {ended.returncode}: see its output."
    )


def inventory_of(environment: str) -> str:
    """Return the inventory of an environment; PipelineError when there is none."""
    inventory = f"inventories/{environment}"
    if not ENVIRONMENT.fullmatch(environment) or not (ROOT / inventory).is_dir():
        known = sorted(path.name for path in (ROOT / "inventories").iterdir())
        raise PipelineError(f"There is no environment '{environment}', only: {', '.join(known)}.")
    return inventory


def variables_for(version: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """Say what to deploy in the role's variables; PipelineError when it is not by digest."""
    if not VERSION.fullmatch(version):
        raise PipelineError(f"VERSION is '{version}', which can be no image's tag.")
    if not digests:
        raise PipelineError("DIGESTS is empty: the build has to hand on what it pushed.")
    for repository, digest in digests.items():
        if not DIGEST.fullmatch(str(digest)):
            raise PipelineError(f"DIGESTS: that of {repository} is no digest.")
    return {
        "stack_version": version,
        "stack_digests": dict(digests),
        "stack_lock_wait": lock_wait(),
    }


def lock_wait() -> int:
    """Return how many seconds a run waits for others on the server."""
    return int(setting("LOCK_WAIT", LOCK_WAIT))


def read_digests(text: str) -> dict[str, str]:
    """Read what the build handed on: a JSON object, a repository to its digest."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PipelineError(f"DIGESTS is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise PipelineError("DIGESTS is no JSON object of repositories and digests.")
    return found


SECRETS = ("SSH_PRIVATE_KEY", "SSH_CERTIFICATE", "SSH_KNOWN_HOSTS", "VAULT_PASSWORD")


def child_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Leave out what goes to files: no child process has to hold it."""
    return {name: value for name, value in given.items() if name not in SECRETS}


def access(folder: Path) -> dict[str, str]:
    """Write down what the controller needs to get in; return the variables that lead Ansible there.

    Without a key it logs in as the person at the keyboard does.
    """
    found = {"ANSIBLE_HOST_KEY_CHECKING": "true"}
    if password := os.environ.get("VAULT_PASSWORD"):
        found["ANSIBLE_VAULT_PASSWORD_FILE"] = str(private(folder / "vault-password", password))
    if options := ssh_options(folder):
        found["ANSIBLE_SSH_COMMON_ARGS"] = " ".join(options)
    return found


def ssh_options(folder: Path) -> list[str]:
    """Write the key and the host keys that are expected; return the options of ssh, or none."""
    key = os.environ.get("SSH_PRIVATE_KEY")
    if not key:
        return []
    identity = private(folder / "identity", key)
    if certificate := os.environ.get("SSH_CERTIFICATE"):
        private(folder / "identity-cert.pub", certificate)  # where ssh looks for it by itself
    options = {
        "IdentityFile": identity,
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": private(folder / "known_hosts", setting("SSH_KNOWN_HOSTS")),
        "GlobalKnownHostsFile": "/dev/null",
    }
    return [f"-o{name}={value}" for name, value in options.items()]


def private(path: Path, text: str) -> Path:
    """Write a file that only its owner reads; a form field may have cut off its last line end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text.replace("\r\n", "\n").rstrip("\n") + "\n")
    return path


def read_outcome(path: Path) -> Outcome:
    """Read how the play ended; a play that never got to its end has failed."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return Outcome(FAILED, message="ansible-playbook did not get to its end: see its output.")
    return Outcome(**(found | {"result": found["result"] or FAILED}))
