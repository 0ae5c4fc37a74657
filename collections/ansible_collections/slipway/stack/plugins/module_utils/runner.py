"""The host-side process: does one job under the stack's lock, whoever is watching.

python3 -m ansible_collections.slipway.stack.plugins.module_utils.runner <job directory>
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.command import redacted, run_command
from ansible_collections.slipway.stack.plugins.module_utils.door import active_address
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.freeze import refusal
from ansible_collections.slipway.stack.plugins.module_utils.job import DEPLOY, Job, JobDirectory
from ansible_collections.slipway.stack.plugins.module_utils.lock import (
    Holder,
    OvertakenError,
    StalePlanError,
    holding,
    older_run_refusal,
)
from ansible_collections.slipway.stack.plugins.module_utils.probe import Entrance
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    FAILED,
    PREPARED,
    ReleaseError,
    utc_now,
)
from ansible_collections.slipway.stack.plugins.module_utils.roll import Roll
from ansible_collections.slipway.stack.plugins.module_utils.routes import probe_token
from ansible_collections.slipway.stack.plugins.module_utils.trial import Say, Trial

# The door takes what the host itself sends to its own port.
ENTRANCE, ENTRANCE_PORT = "127.0.0.1", 443


def main(path: str) -> None:
    """Do the job and write down how it ended."""
    place = JobDirectory(Path(path))
    job = place.job()
    try:
        result = perform(job, place.say, Clock())
    except OvertakenError as error:
        result = failed(job, str(error)) | {"overtaken": True}
    except StalePlanError as error:
        result = failed(job, str(error)) | {"stale": True}
    except (ReleaseError, OSError) as error:
        result = failed(job, str(error))
    except Exception:
        place.finish(failed(job, f"Slipway itself failed:\n{traceback.format_exc()}"))
        raise
    place.finish(result)


def perform(job: Job, say: Say, clock: Clock) -> dict[str, Any]:
    """Do the job under the lock; ReleaseError when the release is refused or went bad."""
    directory = job.directory
    holder = Holder(
        action=job.action,
        release=job.release,
        who=job.actor.get("who", ""),
        run=job.actor.get("run_url") or str(job.actor.get("run_number") or ""),
        since=utc_now(),
    )
    say("lock", "begin")
    with holding(
        directory,
        holder,
        wait=job.policy.lock_wait,
        clock=clock,
        progress=lambda text: say("lock", "note", text),
    ):
        say("lock", "end")
        refuse(job)
        engine, proxy = Engine(), Proxy(active_address())
        entrance = Entrance(
            address=ENTRANCE,
            port=ENTRANCE_PORT,
            host=directory.manifest(job.release).domain,
            token=probe_token(directory.key.read_bytes(), job.stack),
        )
        trial = Trial(engine, proxy, entrance, job.policy, clock)
        report = asdict(Roll(job, engine, proxy, trial, say=say, clock=clock).run())
        problems = [f"The prober lost: {one}" for one in report["lost"]]
        problems += run_afterwards(job, engine, say)
    if problems:
        return failed(job, "\n".join(problems)) | {"report": report}
    return {"ok": True, "message": "", "report": report}


def refuse(job: Job) -> None:
    """Look again at what may have changed since the job was planned."""
    directory = job.directory
    serving = directory.serving()
    if job.action == DEPLOY:
        current = directory.manifest(serving) if serving else None
        run_number = job.actor.get("run_number") or 0
        if reason := older_run_refusal(current, run_number, allow=job.allow_older_run):
            raise OvertakenError(reason)
        if reason := refusal(directory, ignore=job.ignore_freeze):
            raise ReleaseError(reason)
    if serving not in {job.expected, job.release}:
        raise StalePlanError(
            f"Another deploy came first: this one planned to replace {job.expected or 'nothing'}, "
            f"but {serving} serves now. Nothing was changed. Run it again if it is still wanted."
        )


def run_afterwards(job: Job, engine: Engine, say: Say) -> list[str]:
    """Run the commands that come after the switch; their failures no longer undo it.

    One that has not ended well stays pending in the manifest: the next deploy runs it again.
    """
    problems = []
    manifest = job.directory.manifest(job.release)
    for command in job.commands.get("after", []):
        name = command["name"]
        if name not in manifest.pending:
            continue
        say(name, "begin")
        try:
            run_command(job.directory, engine, job.release, **command)
        except ReleaseError as error:
            problems.append(f"{error}\nThe next deploy of this release runs it again.")
        else:
            manifest.pending.remove(name)
            job.directory.write_manifest(manifest)
        say(name, "end")
    return problems


def failed(job: Job, reason: str) -> dict[str, Any]:
    """Make the result of a job that did not end well, without the release's secrets.

    A release that never got as far as its roll must not hold its bank of addresses. One that serves
    needs it, however its roll ended.
    """
    directory = job.directory
    reason = redacted(reason, directory, job.release)
    try:
        serving = directory.serving()
        manifest = directory.manifest(job.release)
        if manifest.outcome == PREPARED and serving != job.release:
            manifest.outcome, manifest.reason, manifest.finished = FAILED, reason, utc_now()
            directory.write_manifest(manifest)
    except (ReleaseError, OSError) as problem:
        return {"ok": False, "message": f"{reason}\n{problem}"}
    return {"ok": False, "message": f"{reason}\n{serving or 'No release'} serves."}


if __name__ == "__main__":
    main(sys.argv[1])
