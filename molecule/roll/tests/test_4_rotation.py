"""Secrets change under load: what reads them is rolled, the rest runs on, and nothing is lost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench.canaries import inventory, planted, shown
from bench.load import Load
from bench.names import ROOT
from bench.playbooks import Run
from bench.site import Beside, Site
from bench.visitor import Visitor

PER_SECOND = 30
READERS = ("backend", "worker", "scheduler")
VAULT = ROOT / "molecule/inventory/roll/group_vars/docker_hosts/vault.yml"
OLD_KEY = yaml.safe_load(VAULT.read_text())["vault_django_secret_key"]
NEW = {
    "vault_postgres_login": "app_b",
    "vault_postgres_password": "the next password of the roll's database, with ' $ and \u00fc",
    # The old key stays below the new one, so that nobody is logged out.
    "vault_django_secret_key": f"{'a-new-key-' * 6}\n{OLD_KEY}\n",
}
SAME_LOGIN = {"vault_postgres_password": "another one of the same login"}
CONNECT = "from django.db import connection as c; c.ensure_connection(); print(c.cursor().execute("
CONNECT += "'SELECT session_user').fetchone()[0])"
ADMIN = "from django.contrib.auth import get_user_model as m; m().objects.create_superuser"
ADMIN += "('rotation', password='of the rotation')"


@pytest.fixture(scope="module")
def next_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return the same site, whose vault holds the next secrets."""
    folder = inventory(tmp_path_factory.mktemp("rotation") / "next", "production-1", **NEW)
    environment = replace(site.environment, inventories=(*site.environment.inventories, folder))
    return replace(site, environment=environment)


@pytest.fixture(scope="module", autouse=True)
def serving(site: Site) -> None:
    """Have the site serve what the inventory says, whatever the tests before have left."""
    run = site.deploy(stack_version=site.serves()["version"])
    assert run.ok, run.output


def rotate(site: Site, *options: str, **variables: Any) -> Run:
    """Run the shipped rotation at a high verbosity; no secret may be seen."""
    run = site.environment.playbook("playbooks/rotate.yml", "-vvv", "--diff", *options, **variables)
    extra = Path(site.environment.inventories[-1]) / "group_vars/docker_hosts/vault.yml"
    assert not shown(run.output, planted(extra) if extra.is_absolute() else planted())
    return run


def identities(server: Any) -> dict[str, tuple[str, str]]:
    """Return the id and the start of each running container."""
    return {
        name: (one["Id"], one["State"]["StartedAt"])
        for name, one in server.containers(all_=False).items()
    }


def shell(site: Site, release: str, service: str, code: str) -> str:
    """Run Python in a container of a release, in a process of its own."""
    name = f"{site.stack}-{release}-{service}-1"
    words = ("manage.py", "shell", "--verbosity=0", "--command", code)
    return site.run("docker", "exec", name, "python", *words).strip()


def logins(site: Site) -> list[str]:
    """Return the roles that have a password in Postgres, and those who have logged in."""
    query = (
        "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL"
        " UNION SELECT usename FROM pg_stat_activity WHERE usename IS NOT NULL ORDER BY 1"
    )
    psql = ("psql", "--username", "postgres", "--tuples-only", "--no-align", "--command", query)
    return site.run("docker", "exec", f"{site.stack}-postgres", *psql).split()


def logged_in(site: Site) -> Visitor:
    """Return a visitor who has logged in to the admin."""
    shell(site, site.serves()["release"], "worker", ADMIN)
    visitor = site.visitor()
    visitor.get("/admin/login/")
    form = {"username": "rotation", "password": "of the rotation", "next": "/admin/"}
    form["csrfmiddlewaretoken"] = str(visitor.session.cookies.get("csrftoken"))
    assert visitor.ask("POST", "/admin/login/", data=form).status_code == 302
    assert visitor.get("/admin/").status_code == 200
    return visitor


def test_a_new_password_goes_with_the_other_login_or_is_refused(site: Site, server: Any) -> None:
    before, jobs = identities(server), site.jobs()
    run = rotate(site, **SAME_LOGIN)
    assert not run.ok
    assert "set vault_postgres_login (data_postgres_login) to app_b" in " ".join(run.output.split())
    assert (identities(server), site.jobs()) == (before, jobs)
    assert logins(site) == ["app", "postgres"]


def test_more_than_secrets_is_no_rotation(site: Site, server: Any) -> None:
    before, jobs = identities(server), site.jobs()
    run = rotate(site, stack_environment={"BANNER": "more"})
    assert not run.ok
    assert run.changed == 0
    assert "More than secrets differs" in run.output
    assert (identities(server), site.jobs()) == (before, jobs)


def test_passwords_and_keys_are_rotated_under_load_and_only_their_readers_are_rolled(
    site: Site, next_site: Site, server: Any, tell: Callable[[str], None]
) -> None:
    visitor = logged_in(site)
    before, old = identities(server), site.serves()["release"]
    begun = time.time()
    with (
        Load(site.visitor(), PER_SECOND) as load,
        Beside(site, lambda: rotate(next_site)) as rotation,
    ):
        rotation.wait("healthy", "begin")
        # An application without kept connections opens one for each request.
        assert shell(site, old, "backend", CONNECT) == "app"
        assert rotation.run.ok, rotation.run.output
    assert load.lost == [], load.summary()
    release = site.serves()["release"]
    assert release != old
    after = identities(server)
    rolled = {f"{site.stack}-{release}-{name}-1" for name in READERS}
    assert set(after) - set(before) == rolled
    stays = {name: one for name, one in before.items() if name in after}
    assert {name: after[name] for name in stays} == stays
    assert f"{site.stack}-{old}-frontend-1" in stays
    assert shell(site, release, "backend", CONNECT) == "app_b"
    assert logins(site) == ["app_b", "postgres"]
    assert visitor.get("/admin/").status_code == 200, "nobody is logged out"
    for name in ("database_password", "database_user", "django_secret_key"):
        assert re.search(rf"secret +backend: {name} differs", rotation.run.output)
    figures = site.history()[-1]["probe"]
    assert figures["lost"] == 0
    tell(
        f"rotation: {time.time() - begun:.1f} s, {len(rolled)} of {len(after)} containers rolled; "
        f"0 of {len(load.records)} requests lost, 0 of {figures['asked']} of the prober's own"
    )


def test_a_rotation_that_is_done_changes_nothing(next_site: Site, server: Any) -> None:
    before = identities(server)
    run = rotate(next_site)
    assert run.ok, run.output
    assert run.changed == 0
    assert identities(server) == before


def test_release_before_comes_back_with_the_present_secrets(site: Site, server: Any) -> None:
    before, rotated = identities(server), site.serves()["release"]
    with Load(site.visitor(), PER_SECOND) as load:
        run = site.rollback()
    assert run.ok, run.output
    assert load.lost == [], load.summary()
    release = site.serves()["release"]
    assert release < rotated
    assert shell(site, release, "backend", CONNECT) == "app_b"
    frontend = f"{site.stack}-{release}-frontend-1"
    assert identities(server)[frontend] == before[frontend], "which reads none"
    manifest = json.loads(site.read(f"releases/{release}/manifest.json"))
    assert manifest["fingerprint"] == site.manifests()[rotated]["fingerprint"]


def test_the_next_rotation_takes_the_first_login_again(site: Site) -> None:
    with Load(site.visitor(), PER_SECOND) as load:
        run = rotate(site)
    assert run.ok, run.output
    assert load.lost == [], load.summary()
    assert logins(site) == ["app", "postgres"]
