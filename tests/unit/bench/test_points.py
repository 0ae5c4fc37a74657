from __future__ import annotations

import random
from typing import Any

from bench.points import Boundary, Step, boundaries, points, steps

OUTPUT = """
boundary 1; Validate
TASK [Validate] ****
boundary 2; stack : plan | Compare
TASK [stack : plan | Compare] ****
<127.0.0.1> SSH: EXEC ssh -C deploy@127.0.0.1 python3
boundary 3; the end
"""
FOUND = [Boundary(1, "Validate", remote=False), Boundary(2, "stack : plan | Compare", remote=True)]
PROGRESS: list[dict[str, Any]] = [
    {"phase": "start", "event": "begin"},
    {"phase": "start", "event": "note", "text": "slowly"},
    {"phase": "start", "event": "end", "seconds": 2.0},
    {"phase": "switch", "event": "begin"},
    {"phase": "switch", "event": "end", "seconds": 0.01},
]


def test_boundaries_say_which_tasks_work_over_ssh() -> None:
    assert boundaries(OUTPUT) == [*FOUND, Boundary(3, "the end", remote=False)]


def test_steps_are_the_lines_that_begin_or_end_one() -> None:
    assert steps(PROGRESS)[:2] == [Step("start", "begin", 2.0), Step("start", "end", 2.0)]
    assert [step.phase for step in steps(PROGRESS, "switch")] == ["switch", "switch"]


def test_every_boundary_and_every_step_has_its_points() -> None:
    chance = random.Random(1)  # noqa: S311 - a draw, not a secret
    found = set(map(str, points(FOUND, steps(PROGRESS), chance)))
    assert {
        "controller at task 1, Validate",
        "controller at task 2, stack : plan | Compare",
    } <= found
    assert not any(one.startswith(("module at task 1", "session at task 1")) for one in found)
    for victim in ("module", "session"):
        assert any(one.startswith(f"{victim} at task 2") for one in found)
    for step in steps(PROGRESS):
        assert f"process at {step.phase} {step.event}" in found
    for victim in ("controller", "both"):
        assert {f"{victim} at start begin", f"{victim} at switch end"} <= found
    assert any(one.startswith("process at start begin + ") for one in found)
    assert not any("switch begin +" in one for one in found), "it is over too soon for that"
