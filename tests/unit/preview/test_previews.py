"""Which previews a host has, who gets a place, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import expiry, previews
from ansible_collections.slipway.stack.plugins.module_utils.addresses import free_subnet
from ansible_collections.slipway.stack.plugins.module_utils.previews import Claim, Preview
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.modules import preview_claim

from tests.unit.preview.host import RELEASE, Host

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLAIM = Claim(
    stack="p-search-0a1b2c",
    branch="feature/search",
    of="staging",
    domain="search-0a1b2c.preview.staging.example.com",
    days=7,
    most=3,
    version="1",
)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "stacks" / "staging").mkdir(parents=True)
    return tmp_path


def claim(host: Path, *, now: datetime = NOW, **changes: Any) -> tuple[Preview, bool]:
    """Claim a place and take it."""
    wanted = replace(CLAIM, **changes)
    preview, new = previews.claimed(host, wanted, lambda: "10.213.128.0/22", now)
    previews.write(StackDirectory(host, wanted.stack), preview)
    return preview, new


def crowd(host: Path, count: int) -> None:
    for number in range(count):
        claim(host, now=NOW - timedelta(days=2), stack=f"p-{number}", branch=f"b/{number}")


# a place ----------------------------------------------------------------------------------------


def test_a_new_preview_gets_a_place(host: Path) -> None:
    preview, new = claim(host)
    assert new
    assert previews.read(StackDirectory(host, CLAIM.stack)) == preview
    assert preview.subnet == "10.213.128.0/22"


def test_a_preview_that_is_there_keeps_its_place(host: Path) -> None:
    first, _ = claim(host)
    again, new = previews.claimed(host, CLAIM, pytest.fail, NOW + timedelta(hours=1))
    assert (again, new) == (first, False)


def test_what_is_decided_about_days_and_names_holds_from_the_next_run_on(host: Path) -> None:
    claim(host)
    again, _ = claim(host, days=3, domain="search-0a1b2c.pr.example.org")
    assert (again.days, again.domain) == (3, "search-0a1b2c.pr.example.org")


def test_one_more_than_may_be_is_refused_and_told_who_is_there(host: Path) -> None:
    crowd(host, 3)
    with pytest.raises(ReleaseError) as refused:
        claim(host)
    message = str(refused.value)
    assert "no room for a preview of 'feature/search': preview_max is 3" in message
    for number in range(3):
        assert f"'b/{number}' of staging, 2 days old, goes in 5 days" in message
        assert f"preview.yml -e state=absent -e branch=b/{number}" in message
    assert "Nothing was changed" in message
    assert not (host / "stacks" / CLAIM.stack).exists()


def test_a_preview_that_is_there_is_not_one_more(host: Path) -> None:
    crowd(host, 2)
    claim(host)
    assert claim(host)[1] is False


def test_a_new_preview_wants_a_version_and_one_that_is_there_does_not(host: Path) -> None:
    with pytest.raises(ReleaseError, match="say which version to deploy"):
        claim(host, version="")
    claim(host)
    claim(host, version="")


def test_a_host_without_the_stack_has_no_previews_of_it(host: Path) -> None:
    with pytest.raises(ReleaseError, match="not provisioned for the stack 'qa'"):
        claim(host, of="qa")


def test_a_stack_that_is_no_preview_is_left_alone(host: Path) -> None:
    (host / "stacks" / "staging" / "releases").mkdir()
    with pytest.raises(ReleaseError, match="is on this host and is no preview"):
        claim(host, stack="staging")


@pytest.mark.parametrize("other", [{"branch": "feature/other"}, {"of": "qa"}])
def test_two_branches_never_share_a_preview(host: Path, other: dict[str, Any]) -> None:
    (host / "stacks" / "qa").mkdir()
    claim(host)
    with pytest.raises(ReleaseError, match="has the same short name"):
        claim(host, **other)


def test_a_claim_that_was_broken_off_before_its_record_was_written_is_made_again(
    host: Path,
) -> None:
    directory = StackDirectory(host, CLAIM.stack)
    directory.root.mkdir()
    (directory.root / ".preview.json~").write_text("{")
    assert previews.removal_refusal(directory, CLAIM.branch, CLAIM.of) == ""
    assert claim(host)[1]


def test_a_preview_is_removed_by_its_own_branch_alone(host: Path) -> None:
    preview, _ = claim(host)
    directory = StackDirectory(host, CLAIM.stack)
    assert previews.removal_refusal(directory, CLAIM.branch, CLAIM.of) == ""
    for branch, of in (("feature/other", CLAIM.of), (CLAIM.branch, "qa")):
        refusal = previews.removal_refusal(directory, branch, of)
        assert "has the same short name" in refusal
        assert preview.command in refusal


def test_a_stack_that_is_no_preview_is_not_removed_as_one(host: Path) -> None:
    directory = StackDirectory(host, "staging")
    (directory.root / "releases").mkdir()
    assert "is no preview" in previews.removal_refusal(directory, CLAIM.branch, CLAIM.of)


def test_a_record_that_cannot_be_read_is_named(host: Path) -> None:
    claim(host)
    path = StackDirectory(host, CLAIM.stack).preview
    path.write_text("{")
    with pytest.raises(ReleaseError, match=str(path)):
        claim(host)


# subnets ----------------------------------------------------------------------------------------


def test_a_preview_gets_the_first_subnet_that_nothing_uses() -> None:
    taken = ["10.213.128.0/24", "10.213.133.7", "default", "10.0.0.0/24", "fd5c::/64"]
    assert free_subnet("10.213.128.0/17", taken) == "10.213.136.0/22"


def test_a_network_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="has no /22 left"):
        free_subnet("10.213.128.0/22", ["10.213.130.0/24"])


# until when -------------------------------------------------------------------------------------


def with_release(host: Path, release: str) -> None:
    (host / "stacks" / CLAIM.stack / "releases" / release).mkdir(parents=True)


def test_a_preview_goes_its_days_after_its_newest_release(host: Path) -> None:
    preview, _ = claim(host)
    assert previews.expires(host, preview) == NOW + timedelta(days=7)
    with_release(host, "20261126-120000-4f3a9c1e")
    assert previews.expires(host, preview) == NOW + timedelta(days=9)


def test_a_deploy_that_changes_nothing_renews_a_preview_that_is_about_to_go(host: Path) -> None:
    claim(host)
    late = NOW + timedelta(days=6, hours=12)
    renewed, _ = claim(host, now=late)
    assert previews.expires(host, renewed) == late + timedelta(days=7)
    assert renewed.created == "2026-11-24T12:00:00Z"


def test_a_preview_whose_days_are_over_is_known_by_the_timer(host: Path) -> None:
    claim(host)
    directory = StackDirectory(host, CLAIM.stack)
    assert not expiry.over(directory, NOW + timedelta(days=6))
    assert expiry.over(directory, NOW + timedelta(days=7))
    assert not expiry.over(StackDirectory(host, "staging"), NOW + timedelta(days=365))


def test_the_list_says_what_serves_where_and_until_when(tmp_path: Path) -> None:
    engine = Host(tmp_path)
    directory = engine.add_stack(CLAIM.stack)
    directory.routes.write_text(f"# slipway release: {RELEASE}\n")
    (engine.root / "stacks" / "staging").mkdir()
    preview = Preview(
        *(CLAIM.stack, CLAIM.branch, "staging", CLAIM.domain, "10.213.128.0/22", 7),
        created="2026-11-23T12:00:00Z",
        renewed="2026-11-23T12:00:00Z",
    )
    previews.write(directory, preview)
    (one,) = previews.listing(engine.root, NOW)
    assert (one["version"], one["age"], one["left"]) == ("1", "1 day", "6 days")
    head, row = previews.table([one])
    assert head.split() == ["preview", "branch", "of", "address", "version", "age", "goes", "in"]
    assert f"https://{CLAIM.domain}/" in row


def test_a_host_without_previews_says_so() -> None:
    assert previews.table([]) == ["No preview is on this host."]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "less than a minute"), (60, "1 minute"), (7200, "2 hours"), (200_000, "2 days")],
)
def test_lengths_of_time_are_told_roughly(seconds: int, text: str) -> None:
    assert previews.span(timedelta(seconds=seconds)) == text


# the module -------------------------------------------------------------------------------------


def settle(host: Path, *, check: bool = False) -> dict[str, Any]:
    return preview_claim.settle(
        host,
        CLAIM,
        subnets="10.213.128.0/17",
        taken=["10.213.128.0/22"],
        program=host / "lib" / "previews.zip",
        check=check,
    )


@pytest.fixture(autouse=True)
def nothing_in_use(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_claim, "in_use", lambda _: [])


def test_a_check_takes_no_place(host: Path) -> None:
    answer = settle(host, check=True)
    assert answer["changed"]
    assert answer["new"]
    assert answer["subnet"] == "10.213.132.0/22"
    assert [path.name for path in host.iterdir()] == ["stacks"]
    assert not (host / "stacks" / CLAIM.stack).exists()


def test_a_claim_changes_once_and_brings_the_timers_program(host: Path) -> None:
    assert settle(host)["changed"]
    assert (host / "lib" / "previews.zip").is_file()
    again = settle(host)
    assert not again["changed"]
    assert again["subnet"] == "10.213.132.0/22"
