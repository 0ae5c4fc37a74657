"""A stack that moves to another domain: proved where both releases answer, then where it is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bench.site import Site

# It leads to the stack's own until then.
NEW = "www.yourdomain.com"


@pytest.fixture
def moved(site: Site) -> Iterator[Site]:
    """Move the stack; move it back as its inventory has it."""
    run = site.deploy(stack_domain=NEW, stack_domain_redirects=[site.domain])
    assert run.ok, run.output
    yield replace(site, domain=NEW)
    run = site.deploy()
    assert run.ok, run.output
    assert site.serves()["release"] == site.history()[-1]["release"]


def test_stack_moves_to_another_domain_without_a_loss_and_the_old_one_leads_there(
    site: Site, moved: Site
) -> None:
    last = site.history()[-1]
    assert moved.serves()["release"] == last["release"]
    assert (last["outcome"], last["probe"]["lost"]) == ("serving", 0)
    # The old release was asked at its own name, and the new one at its.
    assert set(last["probe"]["releases"]) == {last["from"], last["release"]}
    answer = site.visitor().get("/version")
    assert answer.is_permanent_redirect
    assert answer.headers["Location"].startswith(f"https://{NEW}")
