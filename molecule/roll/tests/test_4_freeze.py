"""What may not be deployed just now, and the way back, which is always open."""

from __future__ import annotations

from bench.site import Site

REASON = "Black Friday"


def test_older_run_of_the_pipeline_never_overtakes_a_newer_one(site: Site) -> None:
    before, jobs = site.serves(), site.jobs()
    run = site.deploy(
        stack_version=site.other_version(),
        stack_run_number=11,  # the inventory's is 12
    )
    assert not run.ok
    assert run.changed == 0
    assert "CI run 12" in run.output, run.output
    assert "stack_allow_older_run" in run.output
    assert (site.serves(), site.jobs()) == (before, jobs)


def test_freeze_refuses_deploys_with_its_reason_and_lets_rollbacks_pass(site: Site) -> None:
    before, jobs = site.serves(), site.jobs()
    asked = site.environment.playbook("playbooks/freeze.yml")
    assert not asked.ok
    assert "freeze_reason" in asked.output, "a freeze without a reason is none"
    frozen = site.environment.playbook(
        "playbooks/freeze.yml", freeze_reason=REASON, stack_actor="somebody"
    )
    assert frozen.ok, frozen.output
    try:
        run = site.deploy(stack_version=site.other_version())
        assert not run.ok
        assert run.changed == 0
        assert REASON in run.output
        assert "by somebody since" in run.output, run.output
        assert "playbooks/unfreeze.yml" in run.output
        assert (site.serves(), site.jobs()) == (before, jobs)
        back = site.rollback()
        assert back.ok, back.output
        assert site.serves()["release"] < before["release"]
        assert site.history()[-1]["action"] == "rollback"
    finally:
        free = site.environment.playbook("playbooks/unfreeze.yml")
    assert free.ok, free.output
    allowed = site.deploy("--check", stack_version=before["version"])
    assert allowed.ok, allowed.output
