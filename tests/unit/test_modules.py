"""Each module documents the parameters that it takes, as `ansible-doc` shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "collections"
FOLDER = COLLECTIONS / "ansible_collections/slipway/stack/plugins/modules"
# The others are documentation alone: an action does their work, on the controller.
MODULES = sorted(path for path in FOLDER.glob("*.py") if "AnsibleModule(" in path.read_text())
# In an argument spec and in a documentation these mean the same where they are left out.
DEFAULTS = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}


def asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the parameters of a module as it takes them; it gets no further than to say so."""
    given: dict[str, Any] = {}

    def leave(argument_spec: dict[str, Any], **_: Any) -> None:
        given.update(argument_spec)
        sys.exit()

    module = import_module(f"ansible_collections.slipway.stack.plugins.modules.{path.stem}")
    monkeypatch.setattr(module, "AnsibleModule", leave)
    with pytest.raises(SystemExit):
        module.main()
    return given


@pytest.fixture(scope="session")
def documented() -> dict[str, dict[str, Any]]:
    """Return the parameters of each module as `ansible-doc` shows them."""
    done = subprocess.run(
        ["ansible-doc", "--json", *(f"slipway.stack.{path.stem}" for path in MODULES)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        capture_output=True,
        check=True,
    )
    shown = json.loads(done.stdout)
    return {name.rpartition(".")[2]: shown[name]["doc"].get("options", {}) for name in shown}


def said(options: dict[str, Any]) -> dict[str, Any]:
    """Keep what a documentation and an argument spec have in common."""
    return {
        name: {key: option.get(key, value) for key, value in DEFAULTS.items()}
        for name, option in options.items()
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_takes_what_it_documents(
    path: Path, documented: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(documented[path.stem]) == said(asked_for(path, monkeypatch))
