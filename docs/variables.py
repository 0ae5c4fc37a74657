"""Write docs/variables.md from what the roles' argument_specs say; with --check, compare only."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "variables.md"
COMMAND = "uv run docs/variables.py"
# In the order in which they prepare a host and then deploy to it.
ROLES = ("host", "docker", "network", "edge", "traefik", "data", "stack", "preview")

HEAD = f"""\
<!-- Written by docs/variables.py from roles/*/meta/argument_specs.yml: edit those, then run
     {COMMAND} -->

# Variables

Two places hold values:

- `group_vars/all/<role>.yml`: what belongs to the host, and what every environment shares.
- `inventories/<environment>/group_vars/docker_hosts/<role>.yml`: what differs between environments.
  Secrets stand in `vault.yml` beside it.

Every value is checked before anything changes. Nothing is coerced: `"5"` is no number. *Required*
means that there is no default. *Secret* means that the value is never shown.
"""


def main() -> int:
    """Write the page, or say with exit code 1 that it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, compare only")
    check = parser.parse_args().check
    text = page(ROOT / "roles")
    if check:
        if PAGE.read_text() == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is out of date: run {COMMAND}", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


def page(roles: Path) -> str:
    """Return the whole page."""
    parts = [HEAD]
    for role in ROLES:
        specs = yaml.safe_load((roles / role / "meta" / "argument_specs.yml").read_text())
        entries = specs["argument_specs"]
        text = "\n".join(section(role, name, entry) for name, entry in entries.items())
        for name, entry in entries.items():
            anchor = entry["short_description"].lower().replace(" ", "-")
            text = text.replace(f"the entry point `{name}`", f"[the list below](#{anchor})")
        parts.append(text)
    return "\n".join(parts)


def section(role: str, name: str, entry: dict[str, Any]) -> str:
    """Return one entry point: a role's own variables, or the fields of an entry of one of them."""
    title = f"## {role}" if name == "main" else f"### {entry['short_description']}"
    lead = prose(entry["description"] if name == "main" else entry["short_description"])
    rows = [row for option, spec in entry["options"].items() for row in rows_of(option, spec)]
    table = ["| name | type | default | meaning |", "|---|---|---|---|", *rows]
    return "\n".join([mark(title), "", *([lead, ""] if name == "main" else []), *table, ""])


def rows_of(name: str, spec: dict[str, Any]) -> list[str]:
    """Return the row of an option, then those of the options inside it."""
    inside = "[]" if spec["type"] == "list" else ""
    nested = [
        row
        for option, inner in spec.get("options", {}).items()
        for row in rows_of(f"{name}{inside}.{option}", inner)
    ]
    cells = (f"`{name}`", type_of(spec), default_of(spec), meaning_of(spec))
    return [f"| {' | '.join(cells)} |", *nested]


def type_of(spec: dict[str, Any]) -> str:
    """Name the type, and the type of a list's items."""
    kind: str = spec["type"]
    return f"{kind} of {spec['elements']}" if "elements" in spec else kind


def default_of(spec: dict[str, Any]) -> str:
    """Return the default as YAML would take it, or what stands in its place."""
    if spec.get("required"):
        return "*required*"
    if "default" not in spec:
        return "none"
    default = spec["default"]
    text = default if isinstance(default, str) and default else json.dumps(default)
    return f"`{text}`"


def meaning_of(spec: dict[str, Any]) -> str:
    """Return the description, with what else the specification says of the value."""
    parts = [prose(spec["description"])]
    if choices := spec.get("choices"):
        parts.append(f"One of {', '.join(f'`{choice}`' for choice in choices)}.")
    if spec.get("no_log"):
        parts.append("*Secret.*")
    return " ".join(parts)


def prose(description: str | list[str]) -> str:
    """Join a description into one line of Markdown."""
    text = description if isinstance(description, str) else " ".join(description)
    return mark(" ".join(text.split())).replace("|", "\\|")


def mark(text: str) -> str:
    """Turn Ansible's markup, such as O(stack_name) or C(app), into code."""
    return re.sub(r"\b[COV]\(([^)]*)\)", r"`\1`", text)


if __name__ == "__main__":
    sys.exit(main())
