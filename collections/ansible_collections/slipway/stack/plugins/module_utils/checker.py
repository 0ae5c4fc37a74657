"""Checking one value down to its leaves: kinds, formats, and what a message says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import formats, patterns
from ansible_collections.slipway.stack.plugins.module_utils.problems import Problem, near

Options = Mapping[str, Mapping[str, Any]]
"""The ``options`` of an entry point: option name to its attributes (type, default, ...)."""


@dataclass(frozen=True)
class Unrenderable:
    """Stands in place of a value whose template failed.

    ``undefined`` names the variable that it lacks, or is empty; ``encrypted`` says that Ansible
    Vault could not open it; ``reason`` is the engine's message and is never shown for a secret.
    """

    undefined: str = ""
    reason: str = ""
    encrypted: bool = False


@dataclass(frozen=True)
class Place:
    """Where a value stands: its path for people, and its pattern in the tables."""

    path: str
    pattern: str
    secret: bool = False

    def option(self, name: str, *, secret: bool) -> Place:
        """Go into a field that the spec names."""
        return Place(f"{self.path}.{name}", f"{self.pattern}.{name}", self.secret or secret)

    def key(self, name: object) -> Place:
        """Go into an entry whose name the operator chose."""
        text = name if isinstance(name, str) else str(name)
        plain = re.fullmatch(r"[\w@:+/-][\w.@:+/-]{0,79}", text, re.ASCII)
        return Place(
            f"{self.path}.{text if plain else formats.quote(text)}",
            f"{self.pattern}.*",
            self.secret,
        )

    def item(self, index: int) -> Place:
        """Go into an item of a list."""
        return Place(f"{self.path}[{index}]", f"{self.pattern}[]", self.secret)


BAD: Any = object()

_KINDS: dict[str, str] = {
    "str": "a string",
    "path": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "raw": "a name or a list",
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
    if wanted == "raw":
        return kind in ("a string", "a list")
    return kind == _KINDS[wanted]


@dataclass(frozen=True)
class Checker:
    """Checks a value down to its leaves, adds problems and gives the sound part back."""

    entries: Mapping[str, Options]
    problems: list[Problem]

    def check(self, place: Place, option: Mapping[str, Any], value: object) -> Any:
        """Note every problem at a place and below; return the sound part of the value, or BAD."""
        if option.get("no_log") and not place.secret:
            place = Place(place.path, place.pattern, secret=True)
        if not self._is_kind(place, option, value):
            return BAD
        if isinstance(value, Mapping):
            return self._mapping(place, option, value)
        if isinstance(value, list | tuple):
            return self._list(place, option, value)
        return self._leaf(place, option, value)

    def _add(self, place: Place, wrong: str, cure: str) -> Any:
        self.problems.append(Problem(place.path, wrong, cure))
        return BAD

    def _is_kind(self, place: Place, option: Mapping[str, Any], value: object) -> bool:
        if isinstance(value, Unrenderable):
            self._add(place, *_why_unrenderable(value, place))
            return False
        wanted = str(option.get("type", "str"))
        if _fits(wanted, value):
            return True
        if value is None:
            leave_out = "" if option.get("required") else " Or take the line out."
            cure = f"{give(place.pattern, option)}{leave_out}"
            self._add(place, "is null, it has no value", cure)
            return False
        shown = f" ({formats.quote(str(value))})" if _may_show(place, value) else ""
        wrong = f"must be {_KINDS[wanted]}, not {_kind_of(value)}{shown}"
        self._add(place, wrong, _kind_cure(place, option, value))
        return False

    def _mapping(self, place: Place, option: Mapping[str, Any], value: Mapping[Any, Any]) -> Any:
        if not value and (option.get("required") or place.pattern in patterns.NEVER_EMPTY):
            return self._empty(place, option)
        if "options" in option:
            return self._fields(place, option["options"], value)
        if place.pattern in patterns.FREE_MAPPINGS:
            self._free(place, value)
            return dict(value)
        return self._keys(place, patterns.MAPPINGS[place.pattern], value)

    def _empty(self, place: Place, option: Mapping[str, Any]) -> Any:
        return self._add(place, "is empty", give(place.pattern, option))

    def _fields(self, place: Place, options: Options, value: Mapping[Any, Any]) -> dict[str, Any]:
        sound: dict[str, Any] = {}
        for name, option in options.items():
            secret = bool(option.get("no_log"))
            if name in value:
                checked = self.check(place.option(name, secret=secret), option, value[name])
                if checked is not BAD:
                    sound[name] = checked
            elif option.get("required"):
                inner = place.option(name, secret=secret)
                self._add(inner, "is missing", give(inner.pattern, option))
        for key in value:
            if key not in options:
                self._add(place.key(key), "is unknown", _did_you_mean(key, options))
        return sound

    def _keys(self, place: Place, keys: formats.Keys, value: Mapping[Any, Any]) -> dict[str, Any]:
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
                if checked is not BAD:
                    sound[key] = checked
        return sound

    def _entry(self, place: Place, keys: formats.Keys, value: object) -> Any:
        if keys.entry is not None:
            return self.check(place, {"type": "dict", "options": self.entries[keys.entry]}, value)
        if keys.scalars and isinstance(value, bool | int | float):
            return value
        return self.check(place, {"type": "str"}, value)

    def _free(self, place: Place, value: object) -> None:
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

    def _free_string(self, place: Place, value: str) -> None:
        if _is_placeholder(value):
            self._add(place, *_STILL_PLACEHOLDER)
        elif "{{" in value or "{%" in value:
            self._add(place, "holds {{ or {%", "Take the braces out, nothing renders them.")

    def _list(self, place: Place, option: Mapping[str, Any], value: Sequence[Any]) -> Any:
        if not value and (option.get("required") or place.pattern in patterns.NEVER_EMPTY):
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
        return [None if each is BAD else each for each in checked]

    def _leaf(self, place: Place, option: Mapping[str, Any], value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            allowed = patterns.NUMBERS[place.pattern]
            if allowed.low <= value <= allowed.high:
                return value
            return self._add(place, f"is {value}", f"Give it a number {allowed}.")
        return self._string(place, option, str(value))

    def _string(self, place: Place, option: Mapping[str, Any], value: str) -> Any:
        may_be_empty = option.get("default") == "" or place.pattern in patterns.MAY_BE_EMPTY
        if not value.strip() and not (value == "" and may_be_empty):
            return self._empty(place, option)
        if _is_placeholder(value) or (place.secret and formats.PLACEHOLDER in value):
            return self._add(place, *_STILL_PLACEHOLDER)
        if value.startswith(formats.SEALED):
            return self._add(place, *_STILL_SEALED)
        if "choices" in option:
            if value in option["choices"]:
                return value
            wrong = f"is {formats.quote(value)}" if not place.secret else "is no choice"
            return self._add(place, wrong, _choose(value, option["choices"]))
        return value if value == "" else self._formatted(place, value)

    def _formatted(self, place: Place, value: str) -> Any:
        shape = patterns.STRINGS[place.pattern]
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


_STILL_SEALED = (
    "is still encrypted by SOPS",
    "Have Ansible open the file: docs/operations.md, 'SOPS in place of Ansible Vault'.",
)


def _is_placeholder(value: str) -> bool:
    return value.strip().lower() == formats.PLACEHOLDER


def _why_unrenderable(value: Unrenderable, place: Place) -> tuple[str, str]:
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


def _may_show(place: Place, value: object) -> bool:
    plain = isinstance(value, str | int | float)
    shape = patterns.STRINGS.get(place.pattern)
    return plain and not place.secret and (shape is None or shape.quoted)


def give(pattern: str, option: Mapping[str, Any], *, how: str = "") -> str:
    """Say what to give, in one or two sentences. ``how`` goes into the first one."""
    kind = str(option.get("type", "str"))
    if "choices" in option and kind != "list":
        return f"Give it one of {', '.join(map(str, option['choices']))}{how}."
    if kind in ("str", "path", "raw"):
        shape = patterns.STRINGS[pattern]
        return f"Give it {shape.name}{how}. {shape.cure}"
    if kind in ("int", "float"):
        return f"Give it {_KINDS[kind]} {patterns.NUMBERS[pattern]}{how}."
    filled = option.get("required") or pattern in patterns.NEVER_EMPTY
    return f"Give it {_KINDS[kind]}{' with at least one entry' if filled else ''}{how}."


def _kind_cure(place: Place, option: Mapping[str, Any], value: object) -> str:
    wanted = str(option.get("type", "str"))
    if wanted in ("int", "float", "bool") and isinstance(value, str):
        how = " without quotes"
        if "." not in place.path and "[" not in place.path:
            example = json.dumps({place.path: option.get("default")})
            how += f", on the command line as JSON like -e '{example}'"
        return give(place.pattern, option, how=how)
    if wanted in ("str", "path") and isinstance(value, bool | int | float):
        return f"Put quotes around it. {give(place.pattern, option)}"
    return give(place.pattern, option)


def _choose(value: str, choices: Sequence[Any]) -> str:
    return f"Give it one of {', '.join(map(str, choices))}.{near(value, choices)}"


def _did_you_mean(name: object, known: Mapping[str, Any] | Sequence[str]) -> str:
    names = list(known)
    close = near(name, names).strip()
    return close or (f"Known are: {', '.join(names)}." if names else "Take it out.")
