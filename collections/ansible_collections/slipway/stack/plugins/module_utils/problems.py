"""What is wrong with the values of variables, and what the checks read of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing to put right: where it is, what is wrong, and what to do."""

    path: str
    wrong: str
    cure: str

    def __str__(self) -> str:
        """Write it as one line of the message."""
        return f"{self.path}: {self.wrong}. {self.cure}"


@dataclass
class Values:
    """What the cross-checks read: values as given, and as far as they are sound.

    ``sound`` holds the values without everything that already is a problem, ``services`` the sound
    services with their defaults and this environment's sizes.
    """

    given: Mapping[str, Any]
    sound: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    def broken(self, path: str) -> bool:
        """Say whether the value at a path, or anything inside it, already is a problem."""
        return any(
            problem.path == path or problem.path.startswith((f"{path}.", f"{path}["))
            for problem in self.problems
        )

    def mapping(self, name: str) -> dict[str, Any]:
        """Give the sound part of a mapping, empty if there is none."""
        value = self.sound.get(name)
        return value if isinstance(value, dict) else {}

    def items(self, name: str) -> list[tuple[int, Any]]:
        """Give the sound items of a list, each with its index."""
        return numbered(self.sound.get(name) or [])

    def names(self, name: str) -> list[str] | None:
        """Give the keys of a mapping as given, None if there is no telling."""
        value = self.given.get(name)
        return (
            [key for key in value if isinstance(key, str)] if isinstance(value, Mapping) else None
        )


def near(name: object, known: Sequence[Any]) -> str:
    """Suggest the known name that is closest, as a sentence with a space before it."""
    close = difflib.get_close_matches(str(name)[:100], [str(each) for each in known], n=1)
    return f" Did you mean {close[0]}?" if close else ""


def numbered(items: Sequence[Any]) -> list[tuple[int, Any]]:
    """Give the items with their indices, without those that already are a problem."""
    return [(index, item) for index, item in enumerate(items) if item is not None]
