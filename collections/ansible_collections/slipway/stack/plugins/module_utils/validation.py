"""Strict validation of the roles' public variables: types, formats, and what must fit together.

The truth about types, required options, choices and defaults is each role's
``meta/argument_specs.yml``; the tables in ``formats`` add what that file cannot say. Nothing is
coerced: the string "5" is no number. Everything here is pure and runs on the controller.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import crosschecks, formats
from ansible_collections.slipway.stack.plugins.module_utils.crosschecks import Problem, Values

__all__ = [
    "Options",
    "Problem",
    "Specs",
    "Unrenderable",
    "message",
    "normalise_service",
    "validate",
]

Options = Mapping[str, Mapping[str, Any]]
"""The ``options`` of an entry point: option name to its attributes (type, default, ...)."""

Specs = Mapping[str, Mapping[str, Options]]
"""Role name to entry point name to options."""


@dataclass(frozen=True)
class Unrenderable:
    """Stands in place of a value whose template failed.

    ``undefined`` names the variable that it lacks, or is empty; ``encrypted`` says that Ansible
    Vault could not open it; ``reason`` is the engine's message and is never shown for a secret.
    """

    undefined: str = ""
    reason: str = ""
    encrypted: bool = False


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
    checker = _Checker(entries, found.problems)
    for name, option in options.items():
        if name in found.given:
            sound = checker.check(_Place(name, name), option, found.given[name])
            if sound is not _BAD:
                found.sound[name] = sound
        else:
            found.problems.append(_missing_variable(name, option, options, values))
    found.problems += _unknown_variables(specs, options, values)
    sizes = found.mapping("stack_sizes")
    for name, service in found.mapping("stack_services").items():
        sized = {**service, **sizes.get(name, {})}
        found.services[name] = normalise_service(entries["service"], sized)
    for cross_check in crosschecks.CROSS_CHECKS:
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


# One value and what is inside it


@dataclass(frozen=True)
class _Place:
    """Where a value stands: its path for people, and its pattern in the tables."""

    path: str
    pattern: str
    secret: bool = False

    def option(self, name: str, *, secret: bool) -> _Place:
        return _Place(f"{self.path}.{name}", f"{self.pattern}.{name}", self.secret or secret)

    def key(self, name: object) -> _Place:
        text = name if isinstance(name, str) else str(name)
        plain = re.fullmatch(r"[\w@:+/-][\w.@:+/-]{0,79}", text, re.ASCII)
        return _Place(
            f"{self.path}.{text if plain else formats.quote(text)}",
            f"{self.pattern}.*",
            self.secret,
        )

    def item(self, index: int) -> _Place:
        return _Place(f"{self.path}[{index}]", f"{self.pattern}[]", self.secret)


_BAD: Any = object()

_KINDS: dict[str, str] = {
    "str": "a string",
    "path": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


# A bool is an int to Python, so it comes first.
_TYPES: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("true or false", bool),
    ("a whole number", int),
    ("a number", float),
    ("a string", str),
    ("a mapping", Mapping),
    ("a list", (list, tuple)),
)


def _kind_of(value: object) -> str:
    """Name the kind of a value as people do: "a string", "a list", ..."""
    for name, types in _TYPES:
        if isinstance(value, types):
            return name
    return "null" if value is None else "a value of another kind"


def _fits(wanted: str, value: object) -> bool:
    kind = _kind_of(value)
    if wanted == "float":
        return kind in ("a whole number", "a number")
    return kind == _KINDS[wanted]


@dataclass(frozen=True)
class _Checker:
    """Checks a value down to its leaves, adds problems and gives the sound part back."""

    entries: Mapping[str, Options]
    problems: list[Problem]

    def check(self, place: _Place, option: Mapping[str, Any], value: object) -> Any:
        if option.get("no_log") and not place.secret:
            place = _Place(place.path, place.pattern, secret=True)
        if not self._is_kind(place, option, value):
            return _BAD
        if isinstance(value, Mapping):
            return self._mapping(place, option, value)
        if isinstance(value, list | tuple):
            return self._list(place, option, value)
        return self._leaf(place, option, value)

    def _add(self, place: _Place, wrong: str, cure: str) -> Any:
        self.problems.append(Problem(place.path, wrong, cure))
        return _BAD

    def _is_kind(self, place: _Place, option: Mapping[str, Any], value: object) -> bool:
        if isinstance(value, Unrenderable):
            self._add(place, *_why_unrenderable(value, place))
            return False
        wanted = str(option.get("type", "str"))
        if _fits(wanted, value):
            return True
        if value is None:
            leave_out = "" if option.get("required") else " Or take the line out."
            cure = f"{_give(place.pattern, option)}{leave_out}"
            self._add(place, "is null, it has no value", cure)
            return False
        shown = f" ({formats.quote(str(value))})" if _may_show(place, value) else ""
        wrong = f"must be {_KINDS[wanted]}, not {_kind_of(value)}{shown}"
        self._add(place, wrong, _kind_cure(place, option, value))
        return False

    def _mapping(self, place: _Place, option: Mapping[str, Any], value: Mapping[Any, Any]) -> Any:
        if not value and (option.get("required") or place.pattern in formats.NEVER_EMPTY):
            return self._empty(place, option)
        if "options" in option:
            return self._fields(place, option["options"], value)
        if place.pattern in formats.FREE_MAPPINGS:
            self._free(place, value)
            return dict(value)
        return self._keys(place, formats.MAPPINGS[place.pattern], value)

    def _empty(self, place: _Place, option: Mapping[str, Any]) -> Any:
        return self._add(place, "is empty", _give(place.pattern, option))

    def _fields(self, place: _Place, options: Options, value: Mapping[Any, Any]) -> dict[str, Any]:
        sound: dict[str, Any] = {}
        for name, option in options.items():
            secret = bool(option.get("no_log"))
            if name in value:
                checked = self.check(place.option(name, secret=secret), option, value[name])
                if checked is not _BAD:
                    sound[name] = checked
            elif option.get("required"):
                inner = place.option(name, secret=secret)
                self._add(inner, "is missing", _give(inner.pattern, option))
        for key in value:
            if key not in options:
                self._add(place.key(key), "is unknown", _did_you_mean(key, options))
        return sound

    def _keys(self, place: _Place, keys: formats.Keys, value: Mapping[Any, Any]) -> dict[str, Any]:
        sound: dict[str, Any] = {}
        for key, inner in value.items():
            where = place.key(key)
            if not isinstance(key, str):
                self._add(
                    where, f"has a name that is {_kind_of(key)}", "Put quotes around the name."
                )
            elif len(key) > keys.key.longest or not keys.key.accepts(key):
                self._add(where, f"is not {keys.key.name}", keys.key.cure)
            else:
                checked = self._entry(where, keys, inner)
                if checked is not _BAD:
                    sound[key] = checked
        return sound

    def _entry(self, place: _Place, keys: formats.Keys, value: object) -> Any:
        if keys.entry is not None:
            return self.check(place, {"type": "dict", "options": self.entries[keys.entry]}, value)
        if keys.scalars and isinstance(value, bool | int | float):
            return value
        return self.check(place, {"type": "str"}, value)

    def _free(self, place: _Place, value: object) -> None:
        """Check what goes as it is into a configuration file."""
        if isinstance(value, Unrenderable):
            self._add(place, *_why_unrenderable(value, place))
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(key, str):
                    self._free(place.key(key), inner)
                else:
                    wrong = f"has a name that is {_kind_of(key)}"
                    self._add(place.key(key), wrong, "Put quotes around the name.")
        elif isinstance(value, list | tuple):
            for index, inner in enumerate(value):
                self._free(place.item(index), inner)
        elif isinstance(value, str):
            self._free_string(place, value)

    def _free_string(self, place: _Place, value: str) -> None:
        if _is_placeholder(value):
            self._add(place, *_STILL_PLACEHOLDER)
        elif "{{" in value or "{%" in value:
            self._add(place, "holds {{ or {%", "Take the braces out, nothing renders them.")

    def _list(self, place: _Place, option: Mapping[str, Any], value: Sequence[Any]) -> Any:
        if not value and (option.get("required") or place.pattern in formats.NEVER_EMPTY):
            return self._empty(place, option)
        inner = {
            "type": option.get("elements", "str"),
            **{name: option[name] for name in ("options", "choices") if name in option},
        }
        checked = [self.check(place.item(index), inner, each) for index, each in enumerate(value)]
        # An argument may well come twice, but of anything else that is a slip.
        if not place.pattern.endswith(("command", "plan")):
            for index, each in enumerate(checked):
                if isinstance(each, str) and each in checked[:index]:
                    self._add(place.item(index), "is in the list twice", "Take one of them out.")
        # Indices stay what they are, the cross-checks name them.
        return [None if each is _BAD else each for each in checked]

    def _leaf(self, place: _Place, option: Mapping[str, Any], value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            allowed = formats.NUMBERS[place.pattern]
            if allowed.low <= value <= allowed.high:
                return value
            return self._add(place, f"is {value}", f"Give it a number {allowed}.")
        return self._string(place, option, str(value))

    def _string(self, place: _Place, option: Mapping[str, Any], value: str) -> Any:
        may_be_empty = option.get("default") == "" or place.pattern in formats.MAY_BE_EMPTY
        if not value.strip() and not (value == "" and may_be_empty):
            return self._empty(place, option)
        if _is_placeholder(value) or (place.secret and formats.PLACEHOLDER in value):
            return self._add(place, *_STILL_PLACEHOLDER)
        if "choices" in option:
            if value in option["choices"]:
                return value
            wrong = f"is {formats.quote(value)}" if not place.secret else "is no choice"
            return self._add(place, wrong, _choose(value, option["choices"]))
        return value if value == "" else self._formatted(place, value)

    def _formatted(self, place: _Place, value: str) -> Any:
        shape = formats.STRINGS[place.pattern]
        if len(value) > shape.longest:
            wrong = f"has {len(value)} characters"
            return self._add(place, wrong, f"Make it {shape.longest} characters long or less.")
        if shape.accepts(value):
            return value
        shown = f"{formats.quote(value)} " if shape.quoted and not place.secret else ""
        return self._add(place, f"{shown}is not {shape.name}", shape.cure)


_STILL_PLACEHOLDER = (
    f"still is the placeholder {formats.PLACEHOLDER}",
    "Set the real value, secrets in the inventory's vault.yml.",
)


def _is_placeholder(value: str) -> bool:
    return value.strip().lower() == formats.PLACEHOLDER


def _why_unrenderable(value: Unrenderable, place: _Place) -> tuple[str, str]:
    if value.undefined:
        where = "in the inventory's vault.yml" if value.undefined.startswith("vault_") else ""
        define = f"Define {value.undefined} {where}".rstrip()
        return f"refers to {value.undefined}, which is not defined", f"{define}."
    if value.encrypted:
        return (
            "cannot be decrypted",
            "Give the password that it was encrypted with to Ansible Vault.",
        )
    reason = "" if place.secret or not value.reason else f" ({formats.quote(value.reason)})"
    cure = "Correct the expression, or put !unsafe before a value that holds {{ or {% itself."
    return f"cannot be rendered{reason}", cure


def _may_show(place: _Place, value: object) -> bool:
    plain = isinstance(value, str | int | float)
    shape = formats.STRINGS.get(place.pattern)
    return plain and not place.secret and (shape is None or shape.quoted)


def _give(pattern: str, option: Mapping[str, Any], *, how: str = "") -> str:
    """Say what to give, in one or two sentences. ``how`` goes into the first one."""
    kind = str(option.get("type", "str"))
    if "choices" in option and kind != "list":
        return f"Give it one of {', '.join(map(str, option['choices']))}{how}."
    if kind in ("str", "path"):
        shape = formats.STRINGS[pattern]
        return f"Give it {shape.name}{how}. {shape.cure}"
    if kind in ("int", "float"):
        return f"Give it {_KINDS[kind]} {formats.NUMBERS[pattern]}{how}."
    filled = option.get("required") or pattern in formats.NEVER_EMPTY
    return f"Give it {_KINDS[kind]}{' with at least one entry' if filled else ''}{how}."


def _kind_cure(place: _Place, option: Mapping[str, Any], value: object) -> str:
    wanted = str(option.get("type", "str"))
    if wanted in ("int", "float", "bool") and isinstance(value, str):
        how = " without quotes"
        if "." not in place.path and "[" not in place.path:
            example = json.dumps({place.path: option.get("default")})
            how += f", on the command line as JSON like -e '{example}'"
        return _give(place.pattern, option, how=how)
    if wanted in ("str", "path") and isinstance(value, bool | int | float):
        return f"Put quotes around it. {_give(place.pattern, option)}"
    return _give(place.pattern, option)


def _choose(value: str, choices: Sequence[Any]) -> str:
    return f"Give it one of {', '.join(map(str, choices))}.{crosschecks.near(value, choices)}"


def _did_you_mean(name: object, known: Mapping[str, Any] | Sequence[str]) -> str:
    names = list(known)
    close = crosschecks.near(name, names).strip()
    return close or (f"Known are: {', '.join(names)}." if names else "Take it out.")


# Names of variables


def _missing_variable(
    name: str, option: Mapping[str, Any], options: Mapping[str, Any], values: Mapping[str, Any]
) -> Problem:
    others = [other for other in values if isinstance(other, str) and other not in options]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.85)
    hint = f" Or did you misspell it as {close[0]}?" if close else ""
    return Problem(name, "is missing", f"{_give(name, option)}{hint}")


def _unknown_variables(
    specs: Specs, options: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[Problem]:
    prefixes = tuple(f"{role}_" for role in specs)
    for name in values:
        if isinstance(name, str) and name.startswith(prefixes) and name not in options:
            role = name.partition("_")[0]
            own = [option for option in options if option.startswith(f"{role}_")]
            take_out = f"Take it out, the role {role} knows no such name."
            cure = crosschecks.near(name, own).strip() or take_out
            yield Problem(name, "is unknown", cure)
