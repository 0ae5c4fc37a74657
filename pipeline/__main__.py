"""The steps of the pipeline; docs/pipeline.md lists the settings that each reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils.notice import tell
from ansible_collections.slipway.stack.plugins.module_utils.outcome import (
    FAILED,
    OVERTAKEN,
    Outcome,
)

from pipeline import application, checks, gate, github, images, smoke, team
from pipeline.deploy import branch_named, deploy, preview, read_digests, remove_preview
from pipeline.shell import PipelineError, say, setting
from pipeline.summary import summary


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    whole = argparse.ArgumentParser(prog="pipeline", description=__doc__)
    whole.add_argument(
        "--application", type=Path, default=Path("example"), help="the application's root"
    )
    steps = whole.add_subparsers(dest="step", required=True)
    steps.add_parser("plan", help="name the checks, as outputs")
    check = steps.add_parser("check", help="run one check of slipway.toml")
    check.add_argument("name")
    steps.add_parser("build", help="build, push, list and sign the images; hand on their digests")
    for name, words in (
        ("deploy", "deploy digests to an environment"),
        ("preview", "deploy digests to the preview of BRANCH beside an environment"),
        ("preview-remove", "remove the preview of BRANCH"),
        ("smoke", "ask an environment whether its release answers"),
    ):
        steps.add_parser(name, help=words).add_argument("environment")
    steps.add_parser("notify", help="tell the team how the run ended")
    served = steps.add_parser("gate", help="the command that a pipeline's key is bound to")
    served.add_argument("environments", nargs="+", help="those that it may deploy to")
    return whole


def plan(root: Path) -> None:
    """Name the checks for a matrix, and the registry as registries spell it."""
    github.output("checks", json.dumps(list(application.read(root).checks)))
    github.output("registry", setting("REGISTRY").lower())


def build(root: Path) -> None:
    """Hand on the digests as one object, and in the form that `sha256sum` writes."""
    digests = images.build(root, images.place())
    github.output("digests", json.dumps(digests))
    lines = (f"{digest.partition(':')[2]}  {one}" for one, digest in digests.items())
    github.output("checksums", "\n".join(lines))


def deploy_to(environment: str) -> None:
    """Deploy by Ansible from here, or through a gate."""
    version, digests = setting("VERSION"), read_digests(setting("DIGESTS"))
    if destination := setting("GATE", ""):
        outcome = gate.ask(destination, environment, version, digests)
    else:
        outcome = deploy(environment, version, digests)
    report(outcome, environment)


def preview_of(environment: str) -> None:
    """Deploy to a branch's preview, by Ansible from here."""
    branch = branch_named("present")
    version, digests = setting("VERSION"), read_digests(setting("DIGESTS"))
    report(preview(environment, branch, version, digests), f"preview of {branch}")


def report(outcome: Outcome, environment: str) -> None:
    """Write the summary and the outputs; PipelineError when the deploy failed."""
    github.summary(summary(outcome, environment))
    for name in ("result", "release", "domain"):
        github.output(name, getattr(outcome, name))
    if outcome.result == FAILED:
        raise PipelineError(f"The deploy to {environment} failed: {outcome.message}")


def say_removed(environment: str) -> None:
    """Remove a branch's preview, and say so."""
    branch = branch_named("absent")
    remove_preview(environment, branch)
    say(f"The preview of '{branch}' is gone.")


def smoke_test(root: Path, environment: str) -> None:
    """Ask; when a newer run has deployed since, this one is overtaken."""
    expected = application.read(root).smoke
    where = smoke.site(setting("DOMAIN"))
    say(f"Smoke test of {environment}, https://{where.domain}:")
    result = "passed"
    try:
        smoke.smoke(expected, where, setting("RELEASE", ""), smoke.patiently)
    except smoke.NewerReleaseError as newer:
        result = OVERTAKEN
        say(f"A newer release answers, {newer}: this run is overtaken.")
    github.output("smoke", result)


def notify() -> None:
    """Tell of a failure or of a recovery; what cannot be told is a warning."""
    found = team.notice(github.this_run(), team.results(setting("NEEDS")), github.ask)
    if found is None:
        say("Nothing to tell.")
        return
    say(f"{found.status}: {found.title}")
    urls: Mapping[str, str] = {
        f"{kind}_url": setting(f"NOTIFY_{kind.upper()}_URL", "") for kind in ("slack", "webhook")
    }
    if not any(urls.values()):
        say("Neither NOTIFY_SLACK_URL nor NOTIFY_WEBHOOK_URL is set: nobody is told.")
    for problem in tell(found, **urls):
        say(f"Warning: {problem}.")


def main(arguments: list[str]) -> int:
    """Run one step; say what is wrong in one message when it fails."""
    given = parser().parse_args(arguments)
    root = given.application
    steps: dict[str, Callable[[], None]] = {
        "plan": lambda: plan(root),
        "check": lambda: checks.check(application.read(root), given.name),
        "build": lambda: build(root),
        "deploy": lambda: deploy_to(given.environment),
        "preview": lambda: preview_of(given.environment),
        "preview-remove": lambda: say_removed(given.environment),
        "smoke": lambda: smoke_test(root, given.environment),
        "notify": notify,
    }
    if given.step == "gate":
        return gate.serve(given.environments, sys.stdin, deploy)
    try:
        steps[given.step]()
    except PipelineError as error:
        github.error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
