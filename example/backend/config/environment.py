"""Read settings from the environment; a missing one is an error that names it."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable, or the default when it is unset or empty.

    Raises ImproperlyConfigured when there is neither.
    """
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise ImproperlyConfigured(f"{name} is missing: set it in the environment.")
    return value


def secret(name: str) -> str:
    """Return what the file named by `<name>_FILE` holds, or else the variable itself.

    A newline at the end of the file is not part of the secret.
    Raises ImproperlyConfigured when there is neither, or when the file is unreadable or empty.
    """
    variable = f"{name}_FILE"
    path = os.environ.get(variable, "")
    if not path:
        value = os.environ.get(name, "")
        if not value:
            raise ImproperlyConfigured(
                f"{name} is missing: set {variable} to the path of a file that holds it."
            )
        return value
    try:
        value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ImproperlyConfigured(f"{variable}: cannot read {path}: {reason}.") from error
    if not value:
        raise ImproperlyConfigured(f"{variable}: {path} is empty.")
    return value


def secret_lines(name: str) -> list[str]:
    """Return the lines of a secret that are not empty; raises ImproperlyConfigured as above."""
    lines = [line for line in secret(name).splitlines() if line.strip()]
    if not lines:
        raise ImproperlyConfigured(f"{name} has nothing but white space in it.")
    return lines


def number(name: str, default: int) -> int:
    """Return the variable as a whole number; raises ImproperlyConfigured when it is none."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error


def words(name: str, default: str | None = None) -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
