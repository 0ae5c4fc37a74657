"""What the ways did, as a table, and what it was measured on."""

from __future__ import annotations

import os
import platform
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.asking import ANSWER_SECONDS
from bench.peers.measure import Measured, Size
from bench.peers.ways import TITLES
from bench.tallies import latency

HEAD: Final = (
    "| how the release is replaced | requests | failed | how | replacements that lost none "
    "| p50 ms | p99 ms | max ms | seconds each |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
KINDS_SHOWN: Final = 4


def row(measured: Measured) -> str:
    """Return a way's line of the table; latencies are those of the answered questions."""
    lost = Counter(kind(record.lost) for record in measured.lost)
    figures = latency(measured.records)
    times = (f"{seconds * 1000:,.0f}" for seconds in (figures.p50, figures.p99, figures.slowest))
    cells = (
        TITLES[measured.way],
        f"{len(measured.records):,}",
        f"{lost.total():,}",
        ", ".join(f"{count} x {what}" for what, count in lost.most_common(KINDS_SHOWN)),
        f"{measured.clean} of {len(measured.rolls)}",
        *times,
        f"{statistics.median(roll.seconds for roll in measured.rolls):.0f}",
    )
    return f"| {' | '.join(cells)} |"


def kind(lost: str) -> str:
    """Return why a question was lost without what is particular about it."""
    return lost.partition(":")[0].removeprefix("status ")


def table(all_measured: Sequence[Measured]) -> str:
    """Return the ways' lines below their head."""
    return "\n".join([HEAD, *map(row, all_measured)])


def machine() -> str:
    """Describe the machine, as far as it matters."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"


def page(
    all_measured: Sequence[Measured], size: Size, command: str, versions: Mapping[str, str]
) -> str:
    """Return results.md."""
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""# Results

{table(all_measured)}

Failed: no answer in {ANSWER_SECONDS} s, a connection that broke, another status than a good answer
has, or the page where the API was asked. Latencies are those of the answered questions, through the
whole run, from when each was due; from those that take five seconds on purpose, the five are taken
off. "Seconds each" is the median from the operator's command until it has returned and ten answers
in a row come from the new version.

| | |
|---|---|
| date | {datetime.now(UTC):%Y-%m-%d %H:%M} UTC |
| command | `{command}` |
| load | {size.rate:.0f} requests a second, half on new connections, seed {size.seed} |
| replacements | {size.rolls} each, {size.pause_seconds:.0f} s apart |
| machine | {machine()}; load, servers and controller share it |
| versions | {used} |

[README.md](README.md) says what each way was given and what not, and how to read this.

![Failed requests a second over time, a row for each way](failures.svg)

![Latency over time, a row for each way](latency.svg)
"""
