"""The bench's commands: ``PYTHONPATH=molecule/shared python -m bench --help``."""

from __future__ import annotations

import argparse
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from bench import application, cleaning, demo, engine, figures
from bench.names import STATE
from bench.shell import BenchError

# What scenarios that run side by side all ask for.
SHARED: Final = frozenset({"engine", "prepare", "publish"})


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
    publish = commands.add_parser("publish", help="build and push an application")
    publish.add_argument("version")
    publish.add_argument("--source", type=Path, default=application.SOURCE, help="its folder")
    publish.add_argument("--overlay", type=Path, help="files to lay over its own")
    commands.add_parser("demo", help="bring the demo up")
    deploy = commands.add_parser("demo-deploy", help="build, push and deploy a version")
    deploy.add_argument("version")
    commands.add_parser("demo-down", help="remove the demo's server")
    commands.add_parser("figures", help="measure deploys on the demo's server")
    commands.add_parser("clean", help="remove all that the bench made")
    return whole


def main(arguments: list[str]) -> int:
    """Run one command; say what is wrong in one message when it fails."""
    given = parser().parse_args(arguments)
    actions = {
        "engine": engine.ensure,
        "prepare": lambda: demo.prepare([names.split(",") for names in given.certificates]),
        "publish": lambda: demo.publish(given.version, given.source, given.overlay),
        "demo": demo.up,
        "demo-deploy": lambda: demo.release(given.version),
        "demo-down": demo.down,
        "figures": figures.measure,
        "clean": cleaning.everything,
    }
    try:
        with one_at_a_time() if given.command in SHARED else nullcontext():
            actions[given.command]()
    except BenchError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
