"""Images are named by what they are made from, and built in the order they need each other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from bench import images
from bench.distributions import ORDINARY
from bench.images import Recipe
from bench.shell import BenchError

BASES = {ORDINARY: "base:1"}
RECIPES = (Recipe("server"), Recipe("tool", base="server"), Recipe("other", tools="tool"))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for recipe in RECIPES:
        folder = tmp_path / recipe.name
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"# {recipe.name}\n")
    return tmp_path


def test_a_name_says_what_the_image_is_made_from(folders: Path) -> None:
    first = images.tags(RECIPES, BASES, folders)
    assert first == images.tags(RECIPES, BASES, folders)
    assert len(set(first.values())) == 4


def test_images_of_one_folder_on_different_bases_have_different_names(folders: Path) -> None:
    both = [Recipe(f"on-{base}", base=base, like="server") for base in ("one", "two")]
    found = images.tags(both, {"one": "base:1", "two": "base:2"}, folders)
    assert found["on-one"] != found["on-two"]


def test_a_changed_file_renames_the_image_and_what_builds_on_it(folders: Path) -> None:
    before = images.tags(RECIPES, BASES, folders)
    (folders / "tool" / "Dockerfile").write_text("# changed\n")
    after = images.tags(RECIPES, BASES, folders)
    assert before["server"] == after["server"]
    assert before["tool"] != after["tool"]
    assert before["other"] != after["other"]


def test_another_base_renames_all(folders: Path) -> None:
    one = images.tags(RECIPES, BASES, folders)
    two = images.tags(RECIPES, {**BASES, ORDINARY: "base:2"}, folders)
    assert not {one[recipe.name] for recipe in RECIPES} & {two[recipe.name] for recipe in RECIPES}


def test_parts_cannot_run_into_each_other() -> None:
    assert images.digest(b"ab", b"c") != images.digest(b"a", b"bc")


def test_everything_waits_for_what_it_needs() -> None:
    done: list[str] = []
    images.run_ordered(RECIPES[::-1], lambda recipe: done.append(recipe.name))
    assert done == ["server", "tool", "other"]


def test_independent_images_are_made_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=5)

    def work(_: Recipe) -> None:
        together.wait()

    images.run_ordered((Recipe("one"), Recipe("two")), work, at_once=2)


def test_the_first_failure_is_the_one_that_is_told() -> None:
    def work(recipe: Recipe) -> None:
        raise BenchError(recipe.name)

    with pytest.raises(BenchError, match="server"):
        images.run_ordered(RECIPES, work)


def names(origin: images.Source, *hosts: str) -> list[str]:
    return [recipe.name for recipe in images.wanted_recipes(origin, hosts)]


def test_nothing_stands_in_where_the_real_thing_can_be_had() -> None:
    assert names("public", ORDINARY) == ["host-debian-13", "builder", "registry"]
    assert names("public", "debian-12") == [
        "host-debian-13",
        "host-debian-12",
        "builder",
        "registry",
    ]


def test_only_the_servers_that_are_asked_for_are_built_beside_the_builder_s() -> None:
    everything = {recipe.name for recipe in images.RECIPES}
    assert everything - set(names("built", ORDINARY)) == {
        "host-debian-12",
        "host-ubuntu-24.04",
        images.ARCHIVE,
    }
    assert everything - set(names("built", "ubuntu-24.04")) == {"host-debian-12", images.ARCHIVE}
    assert everything == set(names("built", "debian-12", "ubuntu-24.04"))


def test_the_switch_decides_where_base_images_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(images.SWITCH, "public")
    assert images.source() == "public"
    monkeypatch.setenv(images.SWITCH, "somewhere")
    with pytest.raises(BenchError, match="SLIPWAY_BASE_IMAGES is 'somewhere'"):
        images.source()


def test_the_found_source_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[float] = []

    def answers() -> bool:
        asked.append(1)
        return False

    monkeypatch.delenv(images.SWITCH, raising=False)
    monkeypatch.setattr(images, "STATE", tmp_path)
    monkeypatch.setattr(images, "REMEMBERED", tmp_path / "base-images")
    monkeypatch.setattr(images, "public_registry_answers", answers)
    assert [images.source(), images.source()] == ["built", "built"]
    assert len(asked) == 1


def test_authorities_are_the_machine_s_own_certificates(tmp_path: Path) -> None:
    (tmp_path / "b.crt").touch()
    (tmp_path / "a.crt").touch()
    (tmp_path / "readme.txt").touch()
    assert [file.name for file in images.authorities(tmp_path)] == ["a.crt", "b.crt"]
    assert images.authorities(tmp_path / "missing") == []
