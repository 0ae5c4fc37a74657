"""Files with hashed names: out of an image, into the store, and out of it again."""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import extract as extraction
from ansible_collections.slipway.stack.plugins.module_utils.assets import (
    TEMPORARY,
    Merged,
    extract,
    merge,
    trim,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine, EngineError
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

IMAGE = "registry.example.com/shop/frontend@sha256:" + "b" * 64
SOURCE = "/usr/share/nginx/html/assets"
OWNER = 101

Owners = dict[int, tuple[int, int]]


@pytest.fixture(autouse=True)
def owners(monkeypatch: pytest.MonkeyPatch) -> Owners:
    """Note who was to own what, by inode: giving files away takes root."""
    found: Owners = {}

    def fchown(descriptor: int, uid: int, gid: int) -> None:
        found[os.fstat(descriptor).st_ino] = (uid, gid)

    monkeypatch.setattr(os, "fchown", fchown)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "volumes" / "static"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return new_tree(tmp_path, "new")


def new_tree(parent: Path, release: str, **files: str) -> Path:
    path = parent / "releases" / release / "volumes" / "static"
    path.mkdir(parents=True)
    return write(path, **files)


def write(parent: Path, **files: str) -> Path:
    """Write files; two underscores in a name stand for a slash."""
    for name, content in files.items():
        path = parent / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return parent


def contents(parent: Path) -> dict[str, str]:
    return {
        str(path.relative_to(parent)): path.read_text()
        for path in sorted(parent.rglob("*"))
        if path.is_file()
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# out of an image --------------------------------------------------------------------------------


def packed(*members: tuple[str, str | bytes] | tarfile.TarInfo) -> bytes:
    """Make an archive of files by name and content, and of whatever else."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, content = member
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid = len(data), 0o600, 4711
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o777
    return info


class FakeEngine(Engine):
    """Makes and removes containers on paper; `docker cp` itself is a program on the path."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.commands: list[tuple[str, ...]] = []

    def run(self, *arguments: str, timeout: float = 120) -> str:  # noqa: ARG002
        self.commands.append(arguments)
        return "3f2a\n"

    def remove(self, container: str, *, volumes: bool = False) -> None:
        self.commands.append(("rm", container, "with its volumes" if volumes else ""))

    def answers(self, archive: bytes, code: int = 0, said: str = "", sleep: float = 0) -> None:
        """Have `docker cp` write an archive and end as told."""
        (self.programs / "archive.tar").write_bytes(archive)
        program = self.programs / "docker"
        program.write_text(
            f'#!/bin/sh\necho "$@" > {self.programs}/asked\ncat {self.programs}/archive.tar\n'
            f"[ {sleep} = 0 ] || exec sleep {sleep}\necho '{said}' >&2\nexit {code}\n"
        )
        program.chmod(0o755)

    @property
    def asked(self) -> str:
        return (self.programs / "asked").read_text().strip()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return FakeEngine(programs)


def copied(engine: FakeEngine, tree: Path, **more: Any) -> int:
    return extract(engine, IMAGE, SOURCE, tree, owner=OWNER, **more)


def test_an_images_directory_is_copied_with_what_is_below_it(
    engine: FakeEngine, tree: Path, owners: Owners
) -> None:
    engine.answers(
        packed(entry("./", tarfile.DIRTYPE), ("./app-1a.js", "a"), ("./fonts/b-2b.woff", b"\0"))
    )
    old = os.umask(0o077)
    try:
        assert copied(engine, tree) == 2
    finally:
        os.umask(old)
    assert contents(tree) == {"app-1a.js": "a", "fonts/b-2b.woff": "\0"}
    assert mode(tree / "fonts") == 0o755
    for path in (tree / "app-1a.js", tree / "fonts" / "b-2b.woff"):
        assert mode(path) == 0o644
    made = [path.stat().st_ino for path in tree.rglob("*")]
    assert {owners[inode] for inode in made} == {(OWNER, OWNER)}


def test_no_process_of_the_image_runs_and_its_container_is_removed(
    engine: FakeEngine, tree: Path
) -> None:
    engine.answers(packed())
    copied(engine, tree, labels={"io.slipway.release": "r"})
    create, remove = engine.commands
    assert create[0] == "create"
    assert create[-3:] == ("--label=io.slipway.release=r", IMAGE, "true")
    assert remove == ("rm", "3f2a", "with its volumes")
    assert engine.asked == f"cp 3f2a:{SOURCE}/. -"


def test_a_missing_directory_names_the_volume_and_leaves_no_container(
    engine: FakeEngine, tree: Path
) -> None:
    engine.answers(b"", code=1, said="Could not find the file /html in container 3f2a")
    with pytest.raises(ReleaseError, match=r"Could not find the file(.|\n)*stack_volumes\.static"):
        copied(engine, tree)
    assert engine.commands[-1][0] == "rm"


def test_an_archive_that_is_cut_off_is_no_success(engine: FakeEngine, tree: Path) -> None:
    whole = packed(("./a.js", "a" * 9000))
    engine.answers(whole[:4000])
    with pytest.raises(ReleaseError, match=r"volume static cannot be copied"):
        copied(engine, tree)
    engine.answers(packed(("./a.js", "a")), code=1, said="connection lost")
    with pytest.raises(ReleaseError, match="connection lost"):
        copied(engine, tree)


def test_an_image_that_is_not_there_is_told(engine: FakeEngine, tree: Path) -> None:
    def refuse(*_: str, **__: float) -> str:
        raise EngineError("No such image")

    engine.run = refuse  # type: ignore[method-assign]
    with pytest.raises(ReleaseError, match=r"(?s)No such image.*stack_volumes\.static\.from"):
        copied(engine, tree)


def test_copying_has_a_bound(
    engine: FakeEngine, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "COPY_SECONDS", 0.2)
    engine.answers(packed(("./a.js", "a")), sleep=30)
    with pytest.raises(ReleaseError, match=r"did not end within 0\.2 seconds"):
        copied(engine, tree)
    assert engine.commands[-1][0] == "rm"


@pytest.mark.parametrize("name", ["../outside", "./a/../../outside", "/outside"])
def test_no_name_leads_out_of_the_release(engine: FakeEngine, tree: Path, name: str) -> None:
    engine.answers(packed((name, "x")))
    with pytest.raises(ReleaseError, match="leads out"):
        copied(engine, tree)
    assert not list(tree.parents[3].rglob("outside"))


def test_symbolic_links_and_devices_are_left_out(engine: FakeEngine, tree: Path) -> None:
    engine.answers(
        packed(
            entry("./link", tarfile.SYMTYPE, "/etc"),
            entry("./null", tarfile.CHRTYPE),
            entry("./pipe", tarfile.FIFOTYPE),
            ("./link/passwd", "inside"),
        )
    )
    assert copied(engine, tree) == 1
    assert [path.name for path in tree.iterdir()] == ["link"]
    assert not (tree / "link").is_symlink()
    assert contents(tree) == {"link/passwd": "inside"}


def test_a_link_that_a_command_left_in_the_release_is_not_followed(
    engine: FakeEngine, tree: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside", file="old")
    (tree / "fonts").symlink_to(outside)
    (tree / "app.js").symlink_to(outside / "file")
    engine.answers(packed(("./fonts/file", "new"), ("./app.js", "new")))
    copied(engine, tree)
    assert contents(outside) == {"file": "old"}
    assert contents(tree) == {"app.js": "new", "fonts/file": "new"}


def test_a_file_that_stands_twice_in_the_image_stays_one(engine: FakeEngine, tree: Path) -> None:
    engine.answers(packed(("./a/one.js", "x"), entry("./two.js", tarfile.LNKTYPE, "./a/one.js")))
    assert copied(engine, tree) == 2
    assert (tree / "two.js").samefile(tree / "a" / "one.js")


def test_copying_once_more_leaves_the_store_alone(
    engine: FakeEngine, tree: Path, store: Path
) -> None:
    write(tree, a="old")
    merge(tree, store, replace=False)
    engine.answers(packed(("./a", "new")))
    copied(engine, tree)
    assert (contents(tree), contents(store)) == ({"a": "new"}, {"a": "old"})


# into the store ---------------------------------------------------------------------------------


def test_missing_files_are_linked_into_the_store(tree: Path, store: Path, owners: Owners) -> None:
    write(tree, **{"app-1a": "a", "admin__css__b-2b": "b"})
    (tree / "admin" / "css" / "b-2b").chmod(0o600)
    assert merge(tree, store, replace=False) == Merged(added=2)
    assert contents(store) == {"app-1a": "a", "admin/css/b-2b": "b"}
    assert (store / "app-1a").samefile(tree / "app-1a")
    assert mode(store / "admin" / "css" / "b-2b") == 0o644
    assert mode(store / "admin") == 0o755
    owner = store.stat().st_uid
    made = [path.stat().st_ino for path in store.rglob("*")]
    assert [owners[inode] for inode in made] == [(owner, owner)] * 4


def test_merging_again_changes_nothing(tree: Path, store: Path) -> None:
    write(tree, a="a", d__b="b")
    merge(tree, store, replace=False)
    assert merge(tree, store, replace=True) == Merged(same=2)


def test_equal_files_of_two_releases_are_one_in_the_store(tmp_path: Path, store: Path) -> None:
    old, new = (new_tree(tmp_path, name, a="same") for name in ("old", "new"))
    merge(old, store, replace=True)
    assert merge(new, store, replace=True) == Merged(same=1)
    assert (store / "a").samefile(old / "a")


def test_another_content_waits_until_it_may_replace_the_old(tmp_path: Path, store: Path) -> None:
    old = new_tree(tmp_path, "old", favicon="old", hashed="h")
    new = new_tree(tmp_path, "new", favicon="new", fresh="f")
    merge(old, store, replace=True)
    assert merge(new, store, replace=False) == Merged(added=1, waiting=1)
    assert contents(store)["favicon"] == "old"
    assert merge(new, store, replace=True) == Merged(replaced=1, same=1)
    assert contents(store) == {"favicon": "new", "fresh": "f", "hashed": "h"}
    assert contents(old)["favicon"] == "old"


def test_who_reads_a_file_while_it_is_replaced_reads_all_of_it(tmp_path: Path, store: Path) -> None:
    merge(new_tree(tmp_path, "old", a="old"), store, replace=True)
    with (store / "a").open() as reader:
        merge(new_tree(tmp_path, "new", a="new"), store, replace=True)
        assert reader.read() == "old"
    assert [path.name for path in store.iterdir()] == ["a"]


def test_what_a_kill_left_is_no_hindrance(tree: Path, store: Path) -> None:
    write(store, **{TEMPORARY: "half"})
    write(tree, a="a")
    merge(tree, store, replace=False)
    assert contents(store) == {"a": "a"}


def test_only_plain_files_come_into_the_store(tree: Path, store: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", secret="s")
    (tree / "file").symlink_to(outside / "secret")
    (tree / "directory").symlink_to(outside)
    os.mkfifo(tree / "pipe")
    assert merge(tree, store, replace=True) == Merged(skipped=3)
    assert list(store.iterdir()) == []


def test_a_file_that_is_swapped_meanwhile_brings_nothing_from_outside(
    tree: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = write(tmp_path / "outside", secret="s")
    write(tree, a="a")
    link = os.link

    def swap(*arguments: Any, **more: Any) -> None:
        (tree / "a").unlink()
        (tree / "a").symlink_to(outside / "secret")
        link(*arguments, **more)

    (tree / "b").hardlink_to(tree / "a")  # or the swap would remove the last name of it
    monkeypatch.setattr(os, "link", swap)
    merge(tree, store, replace=False)
    assert contents(store) == {"a": "a", "b": "a"}


def test_the_store_may_be_on_another_disk(
    tree: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    write(tree, a="a", d__b="b")
    monkeypatch.setattr(os, "link", refuse)
    assert merge(tree, store, replace=False) == Merged(added=2)
    assert contents(store) == {"a": "a", "d/b": "b"}
    assert not (store / "a").samefile(tree / "a")
    assert mode(store / "a") == 0o644


def test_a_directory_in_the_place_of_a_file_waits_too(tmp_path: Path, store: Path) -> None:
    merge(new_tree(tmp_path, "old", a="file"), store, replace=True)
    new = new_tree(tmp_path, "new", a__b="inside")
    assert merge(new, store, replace=False) == Merged(waiting=1)
    assert merge(new, store, replace=True) == Merged(added=1)
    assert contents(store) == {"a/b": "inside"}


def test_a_file_never_takes_the_place_of_a_directory(tmp_path: Path, store: Path) -> None:
    merge(new_tree(tmp_path, "old", a__b="inside"), store, replace=True)
    assert merge(new_tree(tmp_path, "new", a="file"), store, replace=True) == Merged(waiting=1)
    assert contents(store) == {"a/b": "inside"}


def test_a_release_without_its_tree_is_told(tmp_path: Path, store: Path) -> None:
    with pytest.raises(ReleaseError, match=r"cannot be put into .*No such file"):
        merge(tmp_path / "missing", store, replace=False)


# out of the store -------------------------------------------------------------------------------


@pytest.fixture
def merged(tmp_path: Path, store: Path) -> Callable[..., Path]:
    def merged(release: str, **files: str) -> Path:
        tree = new_tree(tmp_path, release, **files)
        merge(tree, store, replace=True)
        return tree

    return merged


def test_what_no_kept_release_has_is_removed(merged: Callable[..., Path], store: Path) -> None:
    merged("old", both="x", old="o", only__old__deep="o", shared__old="o")
    new = merged("new", both="x", new="n", shared__new="n")
    assert trim(store, [new]) == 3
    assert contents(store) == {"both": "x", "new": "n", "shared/new": "n"}
    assert not (store / "only").exists()
    assert trim(store, [new]) == 0


def test_what_any_kept_release_has_stays(merged: Callable[..., Path], store: Path) -> None:
    trees = [merged("old", a="a", d__b="b"), merged("new", c="c")]
    assert trim(store, trees) == 0
    assert contents(store) == {"a": "a", "c": "c", "d/b": "b"}


def test_an_empty_release_empties_the_store_but_not_away(
    merged: Callable[..., Path], store: Path
) -> None:
    merged("old", a="a", d__b="b")
    assert trim(store, [merged("new")]) == 2
    assert list(store.iterdir()) == []


def test_nothing_is_removed_while_a_kept_release_has_no_tree(
    merged: Callable[..., Path], store: Path, tmp_path: Path
) -> None:
    """Its volume was one of the stack's then, so its files are nowhere but in the store."""
    write(store, a="of the stack")
    new = merged("new", b="b")
    assert trim(store, [new, tmp_path / "releases" / "old" / "volumes" / "static"]) == 0
    assert trim(store, []) == 0
    assert set(contents(store)) == {"a", "b"}


def test_links_and_leftovers_in_the_store_go(
    merged: Callable[..., Path], store: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside", file="x")
    (store / "link").symlink_to(outside)
    new = merged("new", a="a")
    write(store, **{TEMPORARY: "half"})
    assert trim(store, [new]) == 2
    assert contents(store) == {"a": "a"}
    assert contents(outside) == {"file": "x"}


def test_a_link_in_a_release_keeps_nothing(merged: Callable[..., Path], store: Path) -> None:
    merged("old", a="a")
    new = merged("new")
    (new / "a").symlink_to("/etc/hostname")
    assert trim(store, [new]) == 1
