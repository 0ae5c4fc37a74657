from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.freeze import (
    Freeze,
    clear_freeze,
    freeze_path,
    read_freeze,
    refusal,
    set_freeze,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.modules.stack_freeze import settle

FREEZE = Freeze("Black Friday", "ada", "2026-11-27T00:00:00Z")
LATER = Freeze("Black Friday", "grace", "2026-11-28T00:00:00Z")
OTHER = Freeze("Stock-taking", "grace", "2026-11-28T00:00:00Z")


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    directory = StackDirectory(tmp_path, "shop")
    directory.root.mkdir(parents=True)
    return directory


def test_a_stack_is_free_until_it_is_frozen(directory: StackDirectory) -> None:
    assert read_freeze(directory) is None
    assert refusal(directory, ignore=False) == ""
    set_freeze(directory, FREEZE)
    assert read_freeze(directory) == FREEZE
    clear_freeze(directory)
    clear_freeze(directory)
    assert refusal(directory, ignore=False) == ""


def test_a_refusal_says_why_who_and_since_when(directory: StackDirectory) -> None:
    set_freeze(directory, FREEZE)
    message = refusal(directory, ignore=False)
    assert "'shop' is frozen by ada since 2026-11-27T00:00:00Z: Black Friday." in message
    assert "stack_ignore_freeze" in message
    assert refusal(directory, ignore=True) == ""


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"reason": 1, "more": 2}'])
def test_what_cannot_be_read_freezes(directory: StackDirectory, text: str) -> None:
    freeze_path(directory).write_text(text)
    with pytest.raises(ReleaseError, match="counts as frozen"):
        read_freeze(directory)
    assert "unfreeze.yml" in refusal(directory, ignore=False)
    assert refusal(directory, ignore=True) == ""


def test_to_freeze_again_for_the_same_reason_changes_nothing(directory: StackDirectory) -> None:
    assert settle(directory, FREEZE, check=False)["changed"]
    again = settle(directory, LATER, check=False)
    assert not again["changed"]
    assert again["freeze"]["who"] == "ada"
    assert again["diff"]["before"] == again["diff"]["after"]
    assert settle(directory, OTHER, check=False)["changed"]
    assert read_freeze(directory) == OTHER


def test_to_unfreeze_twice_changes_once(directory: StackDirectory) -> None:
    set_freeze(directory, FREEZE)
    ended = settle(directory, None, check=False)
    assert ended["changed"]
    assert ended["freeze"] is None
    assert ended["diff"]["before"] == FREEZE.text()
    assert ended["diff"]["after"] == ""
    assert not settle(directory, None, check=False)["changed"]


@pytest.mark.parametrize("wanted", [FREEZE, None])
def test_what_cannot_be_read_is_replaced(directory: StackDirectory, wanted: Freeze | None) -> None:
    freeze_path(directory).write_text("{")
    assert settle(directory, wanted, check=False)["changed"]
    assert read_freeze(directory) == wanted


def test_a_check_shows_and_changes_nothing(directory: StackDirectory) -> None:
    shown = settle(directory, FREEZE, check=True)
    assert shown["changed"]
    assert shown["diff"]["after"] == FREEZE.text()
    assert read_freeze(directory) is None
