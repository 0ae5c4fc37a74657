"""The demo: a throw-away server, provisioned and deployed with the shipped playbooks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench import application, archive, builder, ca, engine, hosts, images, registry
from bench.distributions import ORDINARY
from bench.names import BUILDER, FACTS, LOGS, ROOT
from bench.playbooks import Environment
from bench.shell import BenchError, say, step, tail
from bench.visitor import Visitor

INVENTORY: Final = "inventories/demo"
DOMAIN: Final = "demo.slipway.localhost"
HTTPS_PORT: Final = 8443
ADDRESS: Final = f"https://{DOMAIN}:{HTTPS_PORT}/"
FIRST_VERSION: Final = "1"


def prepare(
    certificates: Sequence[Sequence[str]] = (), on: Collection[str] = (ORDINARY,)
) -> dict[str, str]:
    """Make what servers of those distributions need; return the images' names."""
    engine.ensure()
    hosts.ensure_key()
    for domains in certificates:
        ca.ensure_certificate(domains)
    made = images.ensure(hosts=on)
    registry.ensure(made["registry"])
    registry.push_stand_ins(made)
    if images.ARCHIVE in made:
        archive.ensure(made[images.ARCHIVE])
    # Of all servers there are: others may be made at the same time, for other distributions.
    hosts.write_facts(images.names(), mirror=images.source() == "built")
    return made


def publish(version: str, source: Path = application.SOURCE, overlay: Path | None = None) -> None:
    """Build an application as this version and push it to the bench's registry."""
    made = prepare()
    builder.ensure(made["builder"], mirror=images.source() == "built")
    application.publish(version, source, overlay)


def playbook(name: str, *, log: str, **variables: str) -> str:
    """Run a playbook on the demo's inventory; return what it said, raise BenchError if it fails."""
    done = Environment((INVENTORY,)).playbook(name, **variables)
    path = LOGS / f"{log}.log"
    path.write_text(done.output)
    if not done.ok:
        raise BenchError(f"{name} failed; all of it: {path}\n{tail(done.output)}")
    return done.output


def side_by_side(*works: Callable[[], object]) -> None:
    """Do the works at the same time; raise the first one's error when any fails."""
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()


def provision() -> None:
    """Make the demo's server ready for deploys."""
    with step("Provision the server"):
        playbook("playbooks/provision.yml", log="provision")


def deploy(version: str) -> None:
    """Roll the demo to a version, and look at it as a visitor."""
    with step(f"Deploy version {version}"):
        output = playbook("deploy.yml", log="deploy", stack_version=version)
    for line in report(output):
        say(f"     {line}")
    check(version)


def report(output: str) -> list[str]:
    """Return what the deploy itself reports, from what Ansible printed of its last message."""
    _, found, message = output.rpartition("    msg: ")
    if not found:
        return []
    return [line.strip(" '\"") for line in message.partition("\n\n")[0].splitlines()]


def check(version: str) -> None:
    """Ask for the page, the version and a write, and compare the answers."""
    with step("Ask for the page, the version, and write a note"):
        visitor = Visitor(DOMAIN, HTTPS_PORT)
        visitor.session.headers["Host"] = f"{DOMAIN}:{HTTPS_PORT}"
        visitor.session.headers["Origin"] = ADDRESS.rstrip("/")
        page = visitor.get("/")
        if page.status_code != 200 or "<html" not in page.text.lower():  # noqa: PLR2004
            raise BenchError(f"{ADDRESS} answers {page.status_code}, not the page")
        serves = visitor.get("/version").json()
        if serves.get("version") != version:
            raise BenchError(f"{ADDRESS}version answers {serves}, not version {version}")
        text = f"The demo was here: {time.time_ns()}"
        visitor.write_note(text)
        if text not in visitor.notes():
            raise BenchError("the note that was written is not among the notes that are read")


def up() -> None:
    """Bring the demo up from nothing; what exists is kept."""
    began = time.monotonic()
    made = prepare([[DOMAIN]])

    def serve() -> None:
        with step("Create the server"):
            playbook("molecule/shared/create.yml", log="create")
        provision()

    def supply() -> None:
        builder.ensure(made["builder"], mirror=images.source() == "built")
        application.publish(FIRST_VERSION)

    side_by_side(serve, supply)
    deploy(FIRST_VERSION)
    say(farewell(time.monotonic() - began))


def farewell(seconds: float) -> str:
    """Return what the demo's reader may want to do next."""
    authority = ca.AUTHORITY.relative_to(ROOT)
    return f"""
The demo serves at {ADDRESS} (after {seconds:.0f} s).

Your browser does not know its certificate authority, {authority}:
  curl --cacert {authority} --connect-to ::127.0.0.1: {ADDRESS}version
  browser: import that file as an authority, and remove it when you are done
{tunnel_advice()}
Next:
  make demo-deploy VERSION=2   change something in example/ before it, and watch the page
  make demo-down               remove the server; images and build caches stay for the next time"""


def tunnel_advice() -> str:
    """Return how to reach the demo from another machine, when this one was reached over SSH."""
    if "SSH_CONNECTION" not in os.environ:
        return ""
    return f"  from your own machine: ssh -L {HTTPS_PORT}:127.0.0.1:{HTTPS_PORT} <this machine>\n"


def release(version: str) -> None:
    """Build, push and deploy another version of what now lies in example/."""
    if not FACTS.exists():
        raise BenchError("There is no demo to deploy to: run `make demo` first")
    publish(version)
    deploy(version)
    say(f"\nVersion {version} serves at {ADDRESS}")


def down() -> None:
    """Remove the demo's server and stop the builder; keep images and build caches."""
    if not engine.answers():
        say("No engine runs, so no demo does.")
        return
    with step("Remove the server"):
        playbook("molecule/shared/destroy.yml", log="destroy")
    if engine.exists("container", BUILDER):
        engine.docker("stop", BUILDER)
