"""A removed stack leaves nothing, and other stacks as they were, also when it is broken off."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import lock, removal
from ansible_collections.slipway.stack.plugins.module_utils.lock import Holder, StackBusyError
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.removal import Removal
from ansible_collections.slipway.stack.plugins.modules import stack_remove

from tests.unit.preview.host import BACKEND, Host, KilledError, Traefik
from tests.unit.release.fakes import FakeTime

GONE = "p-search-0a1b2c"
# Its name begins with the other's, as those of previews may.
STAYS = "p-search-0a1b2c-x"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    found.add_stack(GONE, "a")
    found.add_stack(STAYS, "b")

    def at_once(works: Any) -> list[Any]:
        return [work() for work in works]

    monkeypatch.setattr(removal, "together", at_once)
    monkeypatch.setattr(removal, "PAGES", found.pages)
    return found


def of(host: Host) -> Removal:
    directory = StackDirectory(host.root, GONE)
    return Removal(directory, host, lambda: Traefik(host), FakeTime().clock())


def picture(host: Host) -> dict[str, Any]:
    """Return all that is on the host but for what the stack that goes has by its name."""
    kept = [name for name in host.left_of(STAYS) if f"{GONE}~" not in name]
    return {"files": kept, "there": copy.deepcopy(host.there[f"{STAYS}-postgres"])}


def remains(host: Host) -> list[str]:
    return [name for name in host.left_of(GONE) if STAYS not in name]


def test_nothing_of_a_removed_stack_is_left(host: Host) -> None:
    before = picture(host)
    found, notes = of(host).run()
    assert remains(host) == []
    assert picture(host) == before
    assert not notes
    assert f"container {GONE}-postgres" in found.lines()
    assert f"image {BACKEND}{'a' * 64}" in found.lines()


def test_visitors_are_led_away_before_anything_stops(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = host.root / "traefik" / "dynamic" / f"{GONE}.yml"
    seen: list[bool] = []
    monkeypatch.setattr(host, "moment", lambda _: seen.append(routes.exists()))
    of(host).run()
    assert seen
    assert not any(seen)


def test_the_engines_images_that_others_run_stay(host: Host) -> None:
    of(host).run()
    assert "postgres:17" in host.images


def test_a_database_image_that_nobody_else_runs_goes(host: Host) -> None:
    del host.there[f"{STAYS}-postgres"]
    of(host).run()
    assert "postgres:17" not in host.images


def test_an_image_that_another_stack_deployed_stays(tmp_path: Path, host: Host) -> None:
    host.add_stack("staging", "a")
    del host.there["staging-backend-1"]
    of(host).run()
    assert f"{BACKEND}{'a' * 64}" in host.images


def test_an_image_that_a_strange_container_uses_stays_and_that_is_said(host: Host) -> None:
    host.there["strange"] = {**host.there[f"{GONE}-backend-1"], "Id": "id of strange"}
    host.there["strange"]["Config"] = {**host.there["strange"]["Config"], "Labels": {}}
    _, notes = of(host).run()
    assert len(notes) == 1
    assert "somebody else uses it" in notes[0]


def test_a_second_removal_finds_nothing(host: Host) -> None:
    of(host).run()
    steps = len(host.moments)
    found, _ = of(host).run()
    assert found.lines() == []
    assert len(host.moments) == steps


def test_a_removal_that_is_killed_at_any_step_is_finished_by_the_next(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    while True:
        root = tmp_path / str(steps)
        root.mkdir()
        host = Host(root)
        monkeypatch.setattr(removal, "PAGES", host.pages)
        host.add_stack(GONE, "a")
        host.add_stack(STAYS, "b")
        before = picture(host)
        host.last_moment = steps
        try:
            of(host).run()
            ended = True
        except KilledError:
            ended = False
            host.last_moment = None
            of(host).run()
        assert remains(host) == [], f"killed before step {steps}"
        assert picture(host) == before
        if ended:
            break
        steps += 1
    assert steps > 8


def test_a_directory_that_is_half_removed_goes_too(host: Host) -> None:
    of(host).run()
    (host.root / f".{GONE}~" / "releases").mkdir(parents=True)
    found, _ = of(host).run()
    assert found.lines() == [f"file {host.root}/.{GONE}~"]
    assert remains(host) == []


def test_containers_stay_while_traefik_still_leads_there(host: Host) -> None:
    host.traefik_is_slow = True
    with pytest.raises(ReleaseError, match="did not let go of p-search-0a1b2c_backend_1@file"):
        of(host).run()
    assert f"{GONE}-backend-1" in host.there
    with pytest.raises(ReleaseError, match="did not let go"):
        of(host).run()
    assert f"{GONE}-backend-1" in host.there


def test_a_stack_that_came_back_after_a_half_removal_can_be_removed_again(host: Host) -> None:
    (host.root / f".{GONE}~" / "releases").mkdir(parents=True)
    of(host).run()
    assert remains(host) == []


# the module -------------------------------------------------------------------------------------


def settle(
    host: Host, *, check: bool = False, refuse: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    return stack_remove.settle(of(host), Holder("removal"), refuse, wait=0, check=check)


def test_a_check_says_what_would_go_and_changes_nothing(host: Host) -> None:
    before = remains(host)
    answer = settle(host, check=True)
    assert answer["changed"]
    assert f"volume {GONE}-postgres" in answer["removed"]
    assert remains(host) == before
    assert not host.moments


def test_a_removal_changes_once(host: Host) -> None:
    assert settle(host)["changed"]
    assert settle(host) == {"changed": False, "removed": [], "notes": []}


def test_a_removal_waits_for_a_deploy_that_is_under_way(host: Host) -> None:
    directory = StackDirectory(host.root, STAYS)
    deploy = Holder("deploy", who="ada")
    with (
        lock.holding(directory, deploy, wait=0, clock=FakeTime().clock(), progress=lambda _: None),
        pytest.raises(StackBusyError, match="the deploy of the stack 'p-search-0a1b2c-x'"),
    ):
        settle(host)
    assert not host.moments


def test_what_became_another_s_while_the_removal_waited_stays(host: Host) -> None:
    asked: list[bool] = []

    def refuse() -> None:
        asked.append(bool(lock.held_by(lock.HOST_LOCK)))
        if asked[-1]:
            raise ReleaseError("it is another's now")

    with pytest.raises(ReleaseError, match="it is another's now"):
        settle(host, refuse=refuse)
    assert asked == [False, True]
    assert not host.moments
    assert f"{GONE}-postgres" in host.volumes
