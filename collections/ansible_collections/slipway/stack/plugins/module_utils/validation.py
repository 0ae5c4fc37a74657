"""Strict validation of the roles' public variables: types, formats, and what must fit together.

The truth about types, required options, choices and defaults is each role's
``meta/argument_specs.yml``; the tables in ``formats`` add what that file cannot say. Nothing is
coerced: the string "5" is no number. Everything here is pure and runs on the controller.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.checker import (
    BAD,
    Checker,
    Options,
    Place,
    Unrenderable,
    give,
)
from ansible_collections.slipway.stack.plugins.module_utils.crosschecks import CROSS_CHECKS
from ansible_collections.slipway.stack.plugins.module_utils.problems import Problem, Values, near

__all__ = [
    "Options",
    "Problem",
    "Specs",
    "Unrenderable",
    "message",
    "normalise_service",
    "validate",
]

Specs = Mapping[str, Mapping[str, Options]]
"""Role name to entry point name to options."""


def validate(specs: Specs, values: Mapping[str, Any]) -> list[Problem]:
    """Check rendered values against the specs of some roles.

    ``values`` maps names of variables to plain data in which ``Unrenderable`` may stand anywhere;
    a name that is absent has the default of its spec. It may hold names that no role knows: those
    that carry the prefix of a given role, but are in no spec, are problems.
    """
    options = {
        name: option for entries in specs.values() for name, option in entries["main"].items()
    }
    entries = {name: part for parts in specs.values() for name, part in parts.items()}
    defaults = {name: each["default"] for name, each in options.items() if "default" in each}
    found = Values({**defaults, **values})
    checker = Checker(entries, found.problems)
    for name, option in options.items():
        if name in found.given:
            sound = checker.check(Place(name, name), option, found.given[name])
            if sound is not BAD:
                found.sound[name] = sound
        else:
            found.problems.append(_missing_variable(name, option, options, values))
    found.problems += _unknown_variables(specs, options, values)
    sizes = found.mapping("stack_sizes")
    for name, service in found.mapping("stack_services").items():
        sized = {**service, **sizes.get(name, {})}
        found.services[name] = normalise_service(entries["service"], sized)
    for cross_check in CROSS_CHECKS:
        found.problems += list(cross_check(found))
    return found.problems


def message(problems: Sequence[Problem]) -> str:
    """Write all problems as one text of several lines."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{count} in the variables. Nothing has been changed on the host."]
    lines += [f"  - {problem}" for problem in problems]
    return "\n".join(lines)


def normalise_service(options: Options, service: Mapping[str, Any]) -> dict[str, Any]:
    """Fill the defaults of a service's fields in, nested ones too.

    ``options`` are those of the entry point ``service``. Fields without a default (``port``,
    ``uid``, ``stop_timeout``, ``health.host``) stay absent when they are. Neither argument is
    changed.
    """
    filled: dict[str, Any] = {}
    for name, option in options.items():
        if name in service:
            value = copy.deepcopy(service[name])
        elif "default" in option:
            value = copy.deepcopy(option["default"])
        else:
            continue
        if "options" in option and isinstance(value, Mapping):
            value = normalise_service(option["options"], value)
        filled[name] = value
    return filled


def _missing_variable(
    name: str, option: Mapping[str, Any], options: Mapping[str, Any], values: Mapping[str, Any]
) -> Problem:
    others = [other for other in values if isinstance(other, str) and other not in options]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.85)
    hint = f" Or did you misspell it as {close[0]}?" if close else ""
    return Problem(name, "is missing", f"{give(name, option)}{hint}")


def _unknown_variables(
    specs: Specs, options: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[Problem]:
    prefixes = tuple(f"{role}_" for role in specs)
    for name in values:
        if isinstance(name, str) and name.startswith(prefixes) and name not in options:
            role = name.partition("_")[0]
            own = [option for option in options if option.startswith(f"{role}_")]
            take_out = f"Take it out, the role {role} knows no such name."
            cure = near(name, own).strip() or take_out
            yield Problem(name, "is unknown", cure)
