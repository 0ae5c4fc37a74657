"""Releases as they lie on a host: ids, banks, fingerprints and files."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    compose_definition,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    PLACEHOLDER_ID,
    RELEASE_ID,
    ReleaseError,
    StackDirectory,
    definition_of,
    fingerprint,
    free_bank,
    new_id,
    write_atomically,
)
from ansible_collections.slipway.stack.plugins.module_utils.routes import public_routes
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.release.conftest import Chowned
from tests.unit.release.fakes import (
    DIGESTS,
    NEW,
    OLD,
    manifest,
    model,
    release,
    serve,
    with_service,
    written,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FIRST, SECOND = "1" * 64, "f" * 64


# ids --------------------------------------------------------------------------------------------


def test_an_id_is_the_time_and_eight_digits_of_the_fingerprint() -> None:
    assert new_id("4f3a9c1e" + "0" * 56, NOON, []) == "20261122-120000-4f3a9c1e"


@pytest.mark.parametrize("content", [FIRST, SECOND])
@pytest.mark.parametrize(
    "newest",
    [
        "20261122-120000-88888888",
        "20261122-120959-88888888",
        "20261122-125959-88888888",
        "20261231-235959-88888888",
        "20261122-120000-ffffffff",
    ],
    ids=["same second", "end of a minute", "end of an hour", "end of a year", "last of a second"],
)
def test_an_id_comes_after_every_other_when_the_clock_went_back(newest: str, content: str) -> None:
    found = new_id(content, NOON, [OLD, newest])
    assert found > newest
    assert RELEASE_ID.fullmatch(found)
    datetime.strptime(found[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)  # names a real time


moments = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001 - bounds
    lambda moment: moment.replace(tzinfo=UTC)
)
digits = st.text("0123456789abcdef", min_size=8, max_size=8)


@given(st.lists(st.tuples(moments, digits), min_size=2, max_size=20))
def test_ids_are_unique_and_sort_in_the_order_of_their_making(
    deploys: list[tuple[datetime, str]],
) -> None:
    made: list[str] = []
    for moment, content in deploys:
        made.append(new_id(content, moment, made))
    assert made == sorted(set(made))
    assert all(RELEASE_ID.fullmatch(one) for one in made)


def test_a_clock_that_goes_on_gives_ids_of_its_own_time() -> None:
    later = NOON + timedelta(seconds=1)
    found = new_id(FIRST, later, [new_id(SECOND, NOON, [])])
    assert found.startswith("20261122-120001-")


# banks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "bank"), [([], 1), ([1], 2), ([2, 3], 1), ([1, 3], 2), (list(range(1, 14)), 14)]
)
def test_the_lowest_free_bank_is_taken(taken: list[int], bank: int) -> None:
    assert free_bank(taken) == bank


def test_when_all_banks_are_taken_the_error_names_the_procedure() -> None:
    with pytest.raises(ReleaseError, match=r"docs/operations\.md"):
        free_bank(list(range(1, 15)))


# fingerprint ------------------------------------------------------------------------------------

SECRETS: dict[str, Any] = {
    "services": {"backend": {"uid": 10001, "values": {"key": "that nobody may see"}}},
    "users": "",
}
KEY = b"key of this host"


def taken_over(
    wanted: dict[str, Any] | None = None,
    *,
    secrets: dict[str, Any] = SECRETS,
    key: bytes = KEY,
    **changes: Any,
) -> str:
    one = release(**({"id": PLACEHOLDER_ID, "bank": 1} | changes))
    wanted = wanted or model()
    return fingerprint(
        definition_of(
            {"compose": compose_definition(wanted, one), "routes": public_routes(wanted, one)}
        ),
        secrets,
        key,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"images": DIGESTS | {"frontend": f"frontend@sha256:{'c' * 64}"}},
        {"version": "1.4.2"},
        {"secrets": SECRETS | {"users": "team:hash"}},
        {"wanted": with_service("backend", environment={"PRICE": "6$"})},
        {"wanted": with_service("backend", paths=["/api", "/admin", "/version"])},
        {"wanted": with_service("backend", memory="1g")},
        {"wanted": model(domain_aliases=[])},
        {"wanted": model(noindex=True)},
        {"wanted": model(basic_auth=True)},
        {"wanted": model(commands=[])},
        {"wanted": model(sizes={"backend": {"replicas": 3}})},
    ],
    ids=lambda changed: str(next(iter(changed))),
)
def test_a_fingerprint_changes_with_whatever_a_release_is_made_of(changed: dict[str, Any]) -> None:
    assert taken_over(**changed) != taken_over()


def test_a_fingerprint_does_not_change_when_nothing_does() -> None:
    assert taken_over() == taken_over(model())


def test_the_order_in_which_an_inventory_is_written_makes_no_release() -> None:
    reordered = model()
    reordered["services"] = dict(reversed(reordered["services"].items()))
    reordered["environment"] = dict(reversed(reordered["environment"].items()))
    assert taken_over(reordered) == taken_over()


def test_what_a_roll_alone_needs_to_know_makes_no_release() -> None:
    patient = with_service("backend", health={"path": "/readyz", "start_timeout": 600})
    assert taken_over(patient) == taken_over()


def test_a_fingerprint_tells_nothing_of_a_secret_to_who_has_not_the_hosts_key() -> None:
    assert "that nobody may see" not in taken_over()
    assert taken_over(key=b"key of another host") != taken_over()


# the stack's directory --------------------------------------------------------------------------


def test_nothing_serves_before_the_first_release(directory: StackDirectory) -> None:
    assert directory.serving() is None
    assert directory.manifests() == []


def test_what_serves_is_read_from_traefiks_file(directory: StackDirectory) -> None:
    serve(directory, OLD)
    assert directory.serving() == OLD


@pytest.mark.parametrize(
    "text",
    ["", "http: {}\n", "# slipway release: latest\n", f"  # slipway release: {OLD}\n"],
    ids=["empty", "no line", "no id", "indented"],
)
def test_a_file_edited_by_hand_is_an_error_that_says_what_to_put_back(
    directory: StackDirectory, text: str
) -> None:
    directory.routes.write_text(text)
    with pytest.raises(ReleaseError, match=r"edited by hand: put back the routes\.yml") as caught:
        directory.serving()
    assert str(directory.routes) in str(caught.value)


def test_manifests_come_back_as_written_the_newest_first(directory: StackDirectory) -> None:
    old, new = written(directory, manifest(OLD)), written(directory, manifest(NEW))
    assert directory.manifests() == [new, old]


def test_a_release_under_a_temporary_name_is_none(directory: StackDirectory) -> None:
    written(directory, manifest(OLD))
    directory.temporary(NEW).mkdir()
    assert directory.ids() == [OLD]


@pytest.mark.parametrize("text", ["{", '{"id": "x"}', None], ids=["broken", "partial", "missing"])
def test_a_broken_manifest_is_named(directory: StackDirectory, text: str | None) -> None:
    directory.release(OLD).mkdir()
    path = directory.release(OLD) / "manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ReleaseError, match=f"{OLD}/manifest.json cannot be read"):
        directory.manifests()


# atomic writes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o400, 0o640])
def test_a_file_is_written_with_its_mode_and_leaves_no_other(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file.yml"
    path.write_text("old")
    path.chmod(0o666)
    write_atomically(path, "new", mode=mode)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_given_to_its_owner_only_when_one_is_named(
    tmp_path: Path, chowned: Chowned
) -> None:
    write_atomically(tmp_path / "ours", "", mode=0o640)
    write_atomically(tmp_path / "theirs", "", mode=0o640, group=65532)
    assert chowned == {str(tmp_path / "theirs"): (-1, 65532)}


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.yml"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new", mode=0o640)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_is_none_that_traefik_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(one.name for one in tmp_path.iterdir()))
    write_atomically(tmp_path / "shop.yml", "", mode=0o640)
    assert seen[0] == ".shop.yml~"
