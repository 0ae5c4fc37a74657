"""What counts as lost, and the figures that a deploy proves itself with."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from ansible_collections.slipway.stack.plugins.module_utils.entrance import Answer

# What can be wrong with an answer.
SILENT, BROKEN, UNSIGNED, REFUSED, STRANGE = "silent", "broken", "unsigned", "refused", "strange"


@dataclass(frozen=True)
class ProbeFigures:
    """What was asked and lost so far; `waiting` of the asked have no answer yet.

    `slowest` is in seconds, `losses` tells of the first five, `releases` counts answers by release.
    """

    asked: int = 0
    lost: int = 0
    slowest: float = 0.0
    losses: list[str] = field(default_factory=list)
    waiting: int = 0
    releases: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say it to the operator."""
        if not self.asked:
            return ["0 requests probed"]
        waiting = f", {self.waiting} without an answer yet" if self.waiting else ""
        head = f"{self.asked} requests probed, {self.lost} lost{waiting}"
        shown = [f"lost {loss}" for loss in self.losses]
        if self.lost > len(shown):
            shown.append(f"and {self.lost - len(shown)} more")
        return [f"{head}, slowest {self.slowest:.2f} s", *shown]


def faults_of(answer: Answer, expected: str | None) -> dict[str, str]:
    """Say all that is wrong with an answer: kind to sentence, the worst first."""
    faults: dict[str, str] = {}
    if answer.error:
        return {SILENT: answer.error}
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        faults[BROKEN] = f"answered {answer.status}"
    if not answer.release:
        faults[UNSIGNED] = f"answered {answer.status}, but by no release"
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        faults[REFUSED] = f"answered {answer.status}, which it did not before"
    if expected and answer.release and answer.release != expected:
        faults[STRANGE] = f"answered by {answer.release} instead of {expected}"
    return faults


def loss(faults: dict[str, str], before: set[str] | None) -> str:
    """Return what makes an answer a lost one, or nothing; what was so before is no loss.

    A refusal is one only to those who know that the path was answered before.
    """
    for kind, text in faults.items():
        unknown = kind == REFUSED and (before is None or before & {SILENT, BROKEN})
        if not unknown and kind not in (before or set()):
            return text
    return ""
