"""The bench's commands: ``PYTHONPATH=molecule/shared python -m bench --help``."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Final, TypeVar

from bench import application, cleaning, demo, development, engine, figures, load, sample, soak
from bench.asking import Settings
from bench.delivery import run as deliver
from bench.distributions import DISTRIBUTIONS, ORDINARY
from bench.names import STATE
from bench.peers import measure
from bench.peers import run as peers
from bench.peers.ways import TITLES
from bench.questions import MIXES
from bench.shell import BenchError

Size = TypeVar("Size", soak.Size, measure.Size)
# What scenarios that run side by side all ask for.
SHARED: Final = frozenset({"engine", "prepare", "publish", "dev", "dev-reset", "dev-check"})


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the bench's lock; the kernel frees it with the process."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    whole = argparse.ArgumentParser(prog="bench", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    commands.add_parser("engine", help="have a Docker Engine that answers")
    prepare = commands.add_parser("prepare", help="have images, registry and keys")
    prepare.add_argument(
        "certificates",
        nargs="*",
        metavar="DOMAIN[,DOMAIN…]",
        help="sign a certificate for these domains",
    )
    prepare.add_argument(
        "--on",
        action="append",
        choices=DISTRIBUTIONS,
        default=[],
        metavar="DISTRIBUTION",
        help=f"for servers of {', '.join(DISTRIBUTIONS)}",
    )
    publish = commands.add_parser("publish", help="build and push an application")
    publish.add_argument("version")
    publish.add_argument("--source", type=Path, default=application.SOURCE, help="its folder")
    publish.add_argument("--overlay", type=Path, help="files to lay over its own")
    commands.add_parser("example", help="check the sample application by its own tests")
    commands.add_parser("dev", help="run the sample application for development")
    commands.add_parser("dev-reset", help="make its database anew")
    commands.add_parser("dev-check", help="try all that in a browser")
    commands.add_parser("demo", help="bring the demo up")
    deploy = commands.add_parser("demo-deploy", help="build, push and deploy a version")
    deploy.add_argument("version")
    commands.add_parser("demo-down", help="remove the demo's server")
    load_options(commands.add_parser("load", help="ask a server at a steady rate"))
    commands.add_parser("figures", help="measure deploys on the demo's server")
    long = commands.add_parser("soak", help="deploy under load on the demo's server")
    size_options(long, soak.Size)
    compare = commands.add_parser("peers", help="Slipway beside other ways, under the same load")
    compare.add_argument("--ways", default=",".join(TITLES), help="which, separated by commas")
    size_options(compare, measure.Size)
    delivery = commands.add_parser("pipeline", help="a commit's way to production, by act")
    delivery.add_argument("--faults", action="store_true", help="and all that must stop on it")
    commands.add_parser("clean", help="remove all that the bench made")
    return whole


def load_options(command: argparse.ArgumentParser) -> None:
    """Add what a load can be told; its defaults are those of bench.asking.Settings."""
    command.add_argument("--port", type=int, default=demo.HTTPS_PORT)
    command.add_argument("--domain", default=demo.DOMAIN)
    command.add_argument("--address", default=Settings.address)
    command.add_argument("--rate", type=float, default=Settings.rate, help="questions a second")
    command.add_argument("--seconds", type=float, default=30, help="ask no longer than this")
    command.add_argument("--requests", type=int, default=Settings.requests, help="ask no more")
    command.add_argument("--seed", type=int, default=Settings.seed)
    command.add_argument("--mix", choices=MIXES, default=Settings.mix)
    command.add_argument("--author", default=Settings.author, help="of the notes it writes")
    command.add_argument(
        "--nameless", dest="releases", action="store_false", help="answers name no release"
    )
    command.add_argument("--into", type=Path, help="a folder for questions.csv and seconds.csv")
    command.add_argument("--until-eof", action="store_true", help="end with the standard input")


def size_options(command: argparse.ArgumentParser, size: type[Size]) -> None:
    """Add how much to do, in the words and with the defaults of a class of sizes."""
    for field in fields(size):
        command.add_argument(
            f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default
        )


def sized(given: argparse.Namespace, size: type[Size]) -> Size:
    """Read what `size_options` added."""
    return size(**{field.name: getattr(given, field.name) for field in fields(size)})


def ask(given: argparse.Namespace) -> None:
    """Run a load; raises BenchError when a question was lost."""
    named = {field.name: getattr(given, field.name) for field in fields(Settings)}
    if not load.main(Settings(**named), given.into, until_eof=given.until_eof):
        raise BenchError("Requests were lost.")


def main(arguments: list[str]) -> int:
    """Run one command; say what is wrong in one message when it fails.

    SIGTERM interrupts it as Ctrl-C does, so that it still removes what it made.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = parser().parse_args(arguments)
    options = " ".join(arguments[1:])
    actions = {
        "engine": engine.ensure,
        "prepare": lambda: demo.prepare(
            [names.split(",") for names in given.certificates], given.on or [ORDINARY]
        ),
        "publish": lambda: demo.publish(given.version, given.source, given.overlay),
        "example": sample.run,
        "dev": development.up,
        "dev-reset": development.reset,
        "dev-check": development.check,
        "demo": demo.up,
        "demo-deploy": lambda: demo.release(given.version),
        "demo-down": demo.down,
        "load": lambda: ask(given),
        "figures": figures.measure,
        "soak": lambda: soak.run(sized(given, soak.Size)),
        "peers": lambda: peers.run(given.ways, sized(given, measure.Size), options),
        "pipeline": lambda: deliver.run(with_faults=given.faults),
        "clean": cleaning.everything,
    }
    try:
        with one_at_a_time() if given.command in SHARED else nullcontext():
            actions[given.command]()
    except BenchError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
