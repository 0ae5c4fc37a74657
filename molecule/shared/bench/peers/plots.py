"""The plots of a comparison: a row for each way, over the seconds of its load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from bench.peers.measure import Measured
from bench.peers.ways import TITLES
from bench.tallies import in_seconds, latency

WIDTH: Final = 9.0
ROW_HEIGHT: Final = 1.5
# Text as text, and the same ids in every run: a small file that differs only where figures do.
STYLE: Final[dict[RcKeyType, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.size": 9,
}
FAILED: Final = "#c0392b"
P50: Final = "#2471a3"
P99: Final = "#b9770e"
ROLLING: Final = "#eeeeee"


def draw(all_measured: Sequence[Measured], folder: Path) -> None:
    """Write failures.svg and latency.svg into the folder."""
    for name, label, fill in (
        ("failures", "failed a second", failures),
        ("latency", "milliseconds", latencies),
    ):
        with mpl.rc_context(STYLE):
            figure = rows(all_measured, label, fill)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def rows(
    all_measured: Sequence[Measured], label: str, fill: Callable[[Axes, Measured], None]
) -> Figure:
    """Return a figure with a filled row for each way, on shared axes, the replacements shaded."""
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(all_measured) + 0.6), layout="constrained")
    grid = figure.subplots(len(all_measured), 1, sharex=True, sharey=True, squeeze=False)
    for axes, measured in zip(grid[:, 0], all_measured, strict=True):
        begun = measured.records[0].due
        for roll in measured.rolls:
            axes.axvspan(roll.begun - begun, roll.ended - begun, color=ROLLING, linewidth=0)
        fill(axes, measured)
        axes.set_title(TITLES[measured.way].replace("`", ""), loc="left", fontsize=9)
        axes.margins(x=0)
    grid[-1, 0].set_xlabel("seconds of load; replacements are shaded")
    figure.supylabel(label, fontsize=9)
    return figure


def failures(axes: Axes, measured: Measured) -> None:
    """Draw how many questions of each second were lost."""
    seconds = in_seconds(measured.records)
    lost = [sum(bool(record.lost) for record in asked) for asked in seconds.values()]
    axes.bar(list(seconds), lost, width=1, align="edge", color=FAILED)


def latencies(axes: Axes, measured: Measured) -> None:
    """Draw the latency of what was asked in each second and answered."""
    figures = {
        second: latency(asked)
        for second, asked in in_seconds(measured.records).items()
        if not all(record.lost for record in asked)
    }
    middles = [second + 0.5 for second in figures]
    for label, color, times in (
        ("p99", P99, [one.p99 * 1000 for one in figures.values()]),
        ("p50", P50, [one.p50 * 1000 for one in figures.values()]),
    ):
        axes.plot(middles, times, color=color, linewidth=1, label=label)
    axes.set_yscale("log")
    axes.legend(loc="upper right", frameon=False, ncols=2, fontsize=8)
