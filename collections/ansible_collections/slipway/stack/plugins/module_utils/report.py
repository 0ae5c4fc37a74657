"""What a roll says of itself when it has ended, for people."""

from __future__ import annotations

from typing import Any


def lines(stack: str, report: dict[str, Any]) -> list[str]:
    """Return the report of a roll, which has the fields of `record.Report`."""
    probe = report["probe"]
    seconds = ", ".join(f"{phase} {took:.1f}" for phase, took in report["seconds"].items())
    return [
        f"{stack}: {report['old'] or 'nothing'} → {report['new']} (version {report['version']})",
        *(f"{service}: {image}" for service, image in sorted(report["images"].items())),
        f"seconds: {seconds}",
        (
            f"probed: {probe['asked']} requests, {probe['lost']} lost, "
            f"slowest {probe['slowest']:.2f} s"
            if probe["asked"]
            else "probed: nothing (nothing served before, or stack_probe_rate is 0)"
        ),
    ]
