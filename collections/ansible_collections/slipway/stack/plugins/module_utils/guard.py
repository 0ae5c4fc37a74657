"""A file that could lock the operator out: put in place on trial, then kept or taken back.

Before the file changes, the host itself is told to take the change back after a while. So nobody is
needed to undo it, neither the controller nor the line to it: both may be what the change has cut.
Whoever ends the trial first, by renaming its folder, decides; the other one finds nothing to do.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

TRIALS = Path("/run/slipway/guard")
# Two logins with their timeouts, and the way back by hand, must fit in.
TRIAL_SECONDS = 90
COMMAND_SECONDS = 30


class GuardError(Exception):
    """A change cannot be made, or was taken back; the message is for the operator."""


@dataclass(frozen=True)
class Change:
    """What to write, and how the host comes to obey it.

    `checks` are commands that must succeed with the file in place; `apply` makes the host read it,
    also after the former content is back; `undo` takes its place when there was no file. After that
    `show` must print each of `lines`, in any case and order; empty, it is not asked.
    """

    name: str
    path: Path
    content: str
    owner: str
    mode: int
    checks: list[list[str]]
    apply: list[list[str]]
    undo: list[list[str]] = field(default_factory=list)
    show: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    trials: Path = TRIALS

    @property
    def folder(self) -> Path:
        """Where the former content waits while the trial lasts."""
        return self.trials / self.name

    @property
    def unit(self) -> str:
        """The timer that takes the change back."""
        return f"slipway-guard-{self.name}"

    @property
    def before(self) -> str:
        """The content of the file now, empty if there is none."""
        return self.path.read_text() if self.path.exists() else ""


def is_due(change: Change) -> bool:
    """Say whether there is anything to do: another content, or a trial that nobody ended."""
    current = change.path.exists() and change.before == change.content
    return not current or change.folder.exists()


def must_obey(change: Change) -> None:
    """Ask the host what it obeys; GuardError when that is not what the file in place says."""
    if not change.show:
        return
    shown = {line.strip().lower() for line in _run(change.show).splitlines()}
    if missing := [line for line in change.lines if line.lower() not in shown]:
        raise GuardError(
            f"{change.path} is in place, but `{shlex.join(change.show)}` does not show: "
            f"{'; '.join(missing)}. Another file sets that first: find it and take it out."
        )


def begin(change: Change) -> None:
    """Put the file in place for a while; GuardError when the host does not take it."""
    take_back(change)
    change.folder.mkdir(mode=0o700, parents=True)
    if change.path.exists():
        # With its owner, without whom sshd would not believe a list of keys.
        _run(["cp", "-p", str(change.path), str(change.folder / "before")])
    (change.folder / "take-back").write_text(script(change))
    _run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={change.unit}"),
            *(f"--on-active={TRIAL_SECONDS}", "--timer-property=AccuracySec=1s"),
            *("/bin/sh", str(change.folder / "take-back")),
        ]
    )
    try:
        _put(change)
    except GuardError as error:
        take_back(change)
        raise GuardError(f"{error} {change.path} is as it was.") from error


def keep(change: Change) -> None:
    """End the trial with the new file; GuardError when the host has taken it back already."""
    if not _claim(change):
        raise GuardError(
            f"The host took {change.path} back, because the proof of it came later than "
            f"{TRIAL_SECONDS} s. Run this again."
        )
    _stop_timer(change)


def take_back(change: Change) -> None:
    """End the trial with what was there before; nothing to do where there is no trial."""
    if change.folder.exists():
        _run(["/bin/sh", str(change.folder / "take-back")])
    _stop_timer(change)


def script(change: Change) -> str:
    """Return the program that takes the change back, to be run by anybody and once."""
    own, claimed, path = (
        shlex.quote(str(one)) for one in (change.folder, _claimed(change), change.path)
    )
    new = shlex.quote(f"{change.path}.before")
    existed = change.path.exists()
    restore = f"cp -p {claimed}/before {new} && mv {new} {path}" if existed else f"rm -f {path}"
    commands = change.apply if existed else change.undo
    return "\n".join(
        [
            f"rm -rf {claimed}",
            f"mv {own} {claimed} || exit 0",
            restore,
            *map(shlex.join, commands),
            f"rm -rf {claimed}",
            "",
        ]
    )


def _claimed(change: Change) -> Path:
    return change.trials / f"{change.name}.ended"


def _claim(change: Change) -> bool:
    claimed = _claimed(change)
    shutil.rmtree(claimed, ignore_errors=True)
    try:
        change.folder.rename(claimed)
    except FileNotFoundError:
        return False
    shutil.rmtree(claimed)
    return True


def _put(change: Change) -> None:
    # Not yet by its own name: a directory of drop-ins is read whole.
    temporary = change.path.with_name(f".{change.path.name}.new")
    temporary.write_text(change.content)
    account = pwd.getpwnam(change.owner)
    os.chown(temporary, account.pw_uid, account.pw_gid)
    temporary.chmod(change.mode)
    temporary.rename(change.path)
    for command in [*change.checks, *change.apply]:
        _run(command)
    must_obey(change)


def _stop_timer(change: Change) -> None:
    subprocess.run(
        ["systemctl", "stop", f"{change.unit}.timer"],
        capture_output=True,
        check=False,  # it may have ended by itself
        timeout=COMMAND_SECONDS,
    )


def _run(command: list[str]) -> str:
    """Run a command and return what it printed; GuardError with its own words when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuardError(f"`{shlex.join(command)}` cannot be run: {error}.") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise GuardError(f"`{shlex.join(command)}` fails: {said}.")
    return done.stdout
