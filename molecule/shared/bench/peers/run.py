"""Measure the ways one after the other, and write bench/results.md and its plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Final

from bench import demo, engine, images
from bench.engine import docker
from bench.names import STATE
from bench.peers.measure import VERSIONS, Measured, Size, under_load
from bench.peers.report import page, table
from bench.peers.server import REPOSITORY, SOURCE, Server
from bench.peers.ways import SERVICES, TITLES, Way, made
from bench.shell import BenchError, say, step
from bench.soak import DEMO, OVERLAY

FOLDER: Final = STATE / "bench"
SLIPWAY: Final = "slipway"


def chosen(names: str) -> list[str]:
    """Read names of ways, separated by commas; BenchError when one is none."""
    found = names.split(",")
    if unknown := [name for name in found if name not in TITLES]:
        raise BenchError(f"There is no way {unknown[0]!r}: choose from {','.join(TITLES)}")
    return found


@contextmanager
def servers(names: Sequence[str]) -> Iterator[Server]:
    """Have the servers that these ways need, with the images; remove what was made."""
    server = Server()
    with ExitStack() as afterwards:
        if SLIPWAY in names and not (
            engine.answers() and engine.exists("container", DEMO.container)
        ):
            afterwards.callback(demo.down)
            demo.up()
        for version in VERSIONS:
            demo.publish(version, overlay=OVERLAY)
        with step("Make the peers' server, and have the images where they are run"):
            afterwards.callback(server.remove)
            server.make()
            supply(server.name)
            if SLIPWAY in names:
                supply(DEMO.container)
        yield server


def supply(container: str) -> None:
    """Have the images of both versions on a server: what a network does is left out."""
    for version in VERSIONS:
        for service in SERVICES:
            image = f"{REPOSITORY}/{service}:{version}"
            docker("exec", container, "docker", "pull", "--quiet", image)


def measured(name: str, way: Way, size: Size) -> Measured:
    """Measure a way from its first version to its end."""
    with step(f"{name}: {size.rolls} replacements under load"):
        way.begin(VERSIONS[0])
        try:
            return under_load(name, way, size, FOLDER / name)
        finally:
            way.end()


def versions(server: Server) -> dict[str, str]:
    """Return the versions of what all ways share."""
    asked = ("docker", "version", "--format={{.Server.Version}}")
    return {
        "Docker Engine": server.run(*asked).strip(),
        "Compose": server.run("docker", "compose", "version", "--short").strip(),
        "Traefik": images.TRAEFIK,
    }


def run(names: str, size: Size, options: str) -> None:
    """Measure the ways of these names, print the table, write results and plots.

    They go to bench/ when all ways were measured, to .bench/bench when only some were. The options
    are those of the command line, so that the results name a command to type.
    """
    command = f'make bench BENCH="{options}"' if options else "make bench"
    ways = chosen(names)
    with servers(ways) as server:
        all_measured = [measured(name, made(name, server), size) for name in ways]
        text = page(all_measured, size, command, versions(server))
    folder = SOURCE if set(ways) == set(TITLES) else FOLDER
    (folder / "results.md").write_text(text)
    # Here, because every load is a process of the bench, and would load the plots' library too.
    import_module("bench.peers.plots").draw(all_measured, folder)
    say(f"\n{table(all_measured)}\n\nWritten to {folder}")
