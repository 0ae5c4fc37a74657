"""The plots of a comparison: a row for each way, over the seconds of its load."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter
from matplotlib.typing import RcKeyType

from bench.asking import Record
from bench.peers.measure import Measured
from bench.peers.ways import TITLES
from bench.tallies import in_seconds, latency

Asked = list[Record]

NOTHING: Final = float("nan")
WIDTH: Final = 9.0
ROW_HEIGHT: Final = 1.25
# Text as text, and the same ids in every run: a small file that differs only where figures do.
STYLE: Final[dict[RcKeyType, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
PLAIN: Final = {"Creator": None, "Date": None, "Format": None, "Type": None}
FAILED: Final = "#c0392b"
P50: Final = "#2471a3"
P99: Final = "#b9770e"
ROLLING: Final = "#e4e7ea"


def draw(all_measured: Sequence[Measured], folder: Path) -> None:
    """Write failures.svg and latency.svg into the folder; opaque, so that any page can show them.

    The same figures give the same bytes.
    """
    for name, label, fill in (
        ("failures", "failed a second", failures),
        ("latency", "milliseconds", latencies),
    ):
        drawn = io.StringIO()
        with mpl.rc_context(STYLE):
            figure = rows(all_measured, label, fill)
            figure.savefig(drawn, format="svg", metadata=PLAIN, facecolor="white")
        (folder / f"{name}.svg").write_text(compact(drawn.getvalue()))


def compact(svg: str) -> str:
    """Write a path on one line, and what elements measure to a tenth of a point; no text."""
    one_line = re.sub(r" ?\n(?=[MLQCz\"])", " ", svg)
    return re.sub(r"\d+\.\d{2,}(?=[^<>]*>)", lambda found: f"{float(found[0]):.1f}", one_line)


def rows(
    all_measured: Sequence[Measured], label: str, fill: Callable[[Axes, Sequence[Asked]], str]
) -> Figure:
    """Return a figure with a filled row for each way, on shared axes, the replacements shaded.

    A row is filled from what was asked in each second, and says in a few words what it shows.
    """
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(all_measured) + 0.6), layout="constrained")
    grid = figure.subplots(len(all_measured), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, measured in zip(grid, all_measured, strict=True):
        begun = measured.records[0].due
        for roll in measured.rolls:
            axes.axvspan(roll.begun - begun, roll.ended - begun, color=ROLLING, linewidth=0)
        axes.set_title(TITLES[measured.way].replace("`", ""), loc="left", fontsize=9)
        axes.set_title(fill(axes, seconds(measured)), loc="right", fontsize=9)
        axes.label_outer(remove_inner_ticks=True)
    if grid[0].get_legend_handles_labels()[0]:
        grid[0].legend(loc="upper right", frameon=False, ncols=2, fontsize=8)
    grid[-1].set_xlim(0, max(len(seconds(measured)) for measured in all_measured))
    grid[-1].set_xlabel("seconds of load; replacements are shaded")
    figure.supylabel(label, fontsize=9)
    return figure


def seconds(measured: Measured) -> list[Asked]:
    """Return what was asked in each second of the load."""
    found = in_seconds(measured.records)
    return [found.get(second, []) for second in range(max(found) + 1)]


def failures(axes: Axes, each: Sequence[Asked]) -> str:
    """Draw how many questions of each second were lost; where none was, nothing is drawn."""
    lost = [sum(bool(record.lost) for record in asked) for asked in each]
    axes.stairs([count or NOTHING for count in lost], fill=True, color=FAILED)
    return f"{sum(lost):,} of {sum(map(len, each)):,} failed"


def latencies(axes: Axes, each: Sequence[Asked]) -> str:
    """Draw the latency of what was asked in each second and answered; a gap where nothing was."""
    figures = [latency(asked) for asked in each]
    middles = [second + 0.5 for second in range(len(each))]
    for label, color, times in (
        ("p99", P99, [one.p99 for one in figures]),
        ("p50", P50, [one.p50 for one in figures]),
    ):
        shown = [time * 1000 or NOTHING for time in times]
        axes.plot(middles, shown, color=color, linewidth=1, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    whole = latency(chain.from_iterable(each))
    return f"p50 {whole.p50 * 1000:,.0f} ms, p99 {whole.p99 * 1000:,.0f} ms"
