"""The host-side process killed at any moment: somebody serves, and a plain re-run finishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.release import SERVING, ReleaseError

from tests.unit.release.fakes import OLD
from tests.unit.roll.killing import assert_serves_alone, deploy, killed_at
from tests.unit.roll.stage import Stage, staged
from tests.unit.roll.stand_ins import AtLast, AtOnce

CANARY = {"canary": [5, 100]}
PHASES = [
    *("pull", "create", "migrate", "start", "healthy", "smoke", "workers", "canary 5 %"),
    *("switch", "confirm", "soak", "handover", "drain", "stop", "record", "prune"),
]
POOLS = [AtOnce, AtLast]  # the workers change hands before the soak, or after it


def killed(stage: Stage, moment: int | str) -> None:
    killed_at(stage, moment, lambda: deploy(stage, **CANARY))


def moments_of(stage: Stage, first: str) -> range:
    """Return the numbers of an undisturbed deploy's moments, from one of them on."""
    if stage.trial.bad:
        with pytest.raises(ReleaseError, match="it is bad"):
            deploy(stage, **CANARY)
    else:
        deploy(stage, **CANARY)
    return range(stage.moments.index(first) + 1, len(stage.moments) + 1)


def test_the_phases_are_all_that_a_roll_has(stage: Stage) -> None:
    deploy(stage, **CANARY)
    assert [(phase, event) for phase, event, _ in stage.said] == [
        (phase, event) for phase in PHASES for event in ("begin", "end")
    ]


@pytest.mark.parametrize("event", ["begin", "end"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_roll_killed_at_a_phases_boundary_is_finished_by_the_next(
    stage: Stage, phase: str, event: str
) -> None:
    killed(stage, f"{phase} {event}")
    assert_serves_alone(stage, deploy(stage, **CANARY))
    assert stage.directory.manifest(stage.directory.serving() or "").outcome == SERVING


@pytest.mark.parametrize(("pool", "first"), [(AtOnce, "pull begin"), (AtLast, "soak begin")])
def test_a_roll_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce], first: str
) -> None:
    for moment in moments_of(staged(tmp_path / "whole", monkeypatch, pool), first):
        stage = staged(tmp_path / str(moment), monkeypatch, pool)
        killed(stage, moment)
        assert_serves_alone(stage, deploy(stage, **CANARY))


def gone_bad(host: Path, patch: pytest.MonkeyPatch, pool: type[AtOnce], bad: str) -> Stage:
    stage = staged(host, patch, pool)
    stage.trial.bad[bad] = "it is bad"
    return stage


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("bad", ["smoke", "canary 5 %", "soak", "drain"])
def test_going_back_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce], bad: str
) -> None:
    """The release is mended meanwhile."""
    whole = gone_bad(tmp_path / "whole", monkeypatch, pool, bad)
    for moment in moments_of(whole, "back begin"):
        stage = gone_bad(tmp_path / str(moment), monkeypatch, pool, bad)
        killed(stage, moment)
        stage.trial.bad.clear()
        assert_serves_alone(stage, deploy(stage, **CANARY))


@pytest.mark.parametrize("pool", POOLS)
def test_a_bad_release_is_gone_back_from_wherever_its_roll_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: type[AtOnce]
) -> None:
    whole = gone_bad(tmp_path / "whole", monkeypatch, pool, "soak")
    for moment in moments_of(whole, "switch begin"):
        stage = gone_bad(tmp_path / str(moment), monkeypatch, pool, "soak")
        killed(stage, moment)
        with pytest.raises(ReleaseError, match="it is bad"):
            deploy(stage, **CANARY)
        assert_serves_alone(stage, OLD)


@pytest.mark.parametrize("second", ["start end", "confirm begin", "record begin"])
@pytest.mark.parametrize("first", PHASES[:-1:3])
def test_a_roll_killed_twice_is_finished_by_the_third(
    stage: Stage, first: str, second: str
) -> None:
    killed(stage, f"{first} end")
    killed(stage, second)
    assert_serves_alone(stage, deploy(stage, **CANARY))
