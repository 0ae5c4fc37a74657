"""Publishing routes, and confirming them."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.routes import read_routes
from ansible_collections.slipway.stack.plugins.module_utils.start import routed
from ansible_collections.slipway.stack.plugins.module_utils.switch import Switch

from tests.unit.release.fakes import NEW, OLD
from tests.unit.roll.stage import Stage


@pytest.fixture
def switch(stage: Stage) -> Switch:
    stage.engine.add_release(stage.new)
    del stage.engine.there[f"shop-{OLD}-scheduler-1"]
    for service in routed(stage.new):
        for number in range(1, len(stage.new.services[service]["containers"]) + 1):
            stage.engine.add(NEW, f"{service}-{number}")
    return Switch(stage.directory, stage.proxy, stage.time.clock())


# publish ----------------------------------------------------------------------------------------


def test_the_published_file_is_the_releases_own(switch: Switch, stage: Stage) -> None:
    switch.publish(stage.new)
    text = (stage.directory.release(NEW) / "routes.yml").read_text()
    assert stage.directory.routes.read_text() == text
    assert stage.directory.serving() == NEW


def test_a_file_that_is_right_already_is_left_alone(switch: Switch, stage: Stage) -> None:
    switch.publish(stage.old)
    assert stage.events == []


def test_a_first_file_is_published_too(switch: Switch, stage: Stage) -> None:
    stage.directory.routes.unlink()
    switch.publish(stage.new)
    assert stage.directory.serving() == NEW


def test_a_file_that_traefik_would_take_for_a_template_is_not_published(
    switch: Switch, stage: Stage
) -> None:
    path = stage.directory.release(NEW) / "routes.yml"
    path.write_text(path.read_text().replace("websecure", "{{ bad"))
    with pytest.raises(ReleaseError, match="take for a template"):
        switch.publish(stage.new)
    assert stage.directory.serving() == OLD


def test_a_file_that_cannot_be_read_never_takes_the_place_of_what_serves(
    switch: Switch, stage: Stage
) -> None:
    before = stage.directory.routes.read_text()
    path = stage.directory.release(OLD) / "routes.yml"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(ReleaseError) as caught:
        switch.publish(stage.old)
    assert f"{path} cannot be read" in str(caught.value)
    assert f"copy {stage.directory.routes} there" in str(caught.value)
    assert stage.directory.routes.read_text() == before


# private ----------------------------------------------------------------------------------------


def test_the_private_way_lies_beside_the_public_one_and_changes_nothing_of_it(
    switch: Switch, stage: Stage
) -> None:
    before = stage.directory.routes.read_text()
    routes = switch.publish_private(stage.new)
    assert stage.directory.routes.read_text() == before
    assert read_routes(stage.directory.private_routes.read_text()) == routes
    assert not set(routes["http"]["routers"]) & set(switch.routes(stage.old)["http"]["routers"])
    switch.confirm(switch.routes(stage.old), routes)


def test_the_private_way_is_closed_once_or_twice(switch: Switch, stage: Stage) -> None:
    switch.publish_private(stage.new)
    switch.drop_private()
    assert not stage.directory.private_routes.exists()
    switch.drop_private()


# the canary -------------------------------------------------------------------------------------


def test_in_a_canary_the_old_release_still_counts_as_serving(switch: Switch, stage: Stage) -> None:
    routes = switch.publish_canary(stage.old, stage.new, percent=5, steps=[5, 25])
    assert stage.directory.serving() == OLD
    assert read_routes(stage.directory.routes.read_text()) == routes
    assert stage.proxy.ways == {OLD, NEW}
    switch.confirm(routes)


def test_each_step_of_a_canary_is_another_file(switch: Switch, stage: Stage) -> None:
    first = switch.publish_canary(stage.old, stage.new, percent=5, steps=[5, 25])
    second = switch.publish_canary(stage.old, stage.new, percent=25, steps=[5, 25])
    assert first != second


def test_after_a_canary_the_old_releases_own_file_can_be_put_back(
    switch: Switch, stage: Stage
) -> None:
    before = stage.directory.routes.read_text()
    switch.publish_canary(stage.old, stage.new, percent=5, steps=[5])
    switch.publish(stage.old)
    assert stage.directory.routes.read_text() == before


# confirm ----------------------------------------------------------------------------------------


def test_traefik_is_asked_until_it_shows_the_routes(switch: Switch, stage: Stage) -> None:
    stage.proxy.polls = 3
    switch.confirm(switch.routes(stage.old))
    assert stage.time.seconds == pytest.approx(0.3)


def test_another_releases_routers_are_no_confirmation(switch: Switch, stage: Stage) -> None:
    with pytest.raises(ReleaseError, match="its API shows other routers"):
        switch.confirm(switch.routes(stage.new))
    assert stage.time.seconds == pytest.approx(15.1, abs=0.2)


def test_routers_beside_the_wanted_ones_are_no_confirmation(switch: Switch, stage: Stage) -> None:
    switch.publish_private(stage.new)
    with pytest.raises(ReleaseError, match="its API shows other routers"):
        switch.confirm(switch.routes(stage.old))


def test_an_unconfirmed_switch_says_where_to_look(switch: Switch, stage: Stage) -> None:
    with pytest.raises(ReleaseError) as caught:
        switch.confirm(switch.routes(stage.new))
    message = str(caught.value)
    assert "Traefik did not take the routes of shop within 15 seconds" in message
    assert "traefik.log" in message
    assert str(stage.directory.dynamic) in message


def test_an_api_that_is_slow_once_is_asked_again(switch: Switch, stage: Stage) -> None:
    stage.proxy.errors = [ReleaseError("Traefik's API does not answer (timed out)")]
    switch.confirm(switch.routes(stage.old))


def test_an_api_that_never_answers_is_told(switch: Switch, stage: Stage) -> None:
    stage.proxy.errors = [ReleaseError("Traefik's API does not answer")] * 10_000
    with pytest.raises(ReleaseError, match="within 15 seconds: Traefik's API does not answer"):
        switch.confirm(switch.routes(stage.old))
