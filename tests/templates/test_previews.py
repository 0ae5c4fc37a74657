"""A preview as the shipped playbook derives it from the shipped inventory of staging."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.templates.rendering import FILLED, ROOT, rendered

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
NAME = "p-feature-sea-04cdd8"
DOMAIN = "feature-sea-04cdd8.preview.staging.yourdomain.com"


@dataclass(frozen=True)
class Derived:
    """How the run ended, what an operator saw, and what was derived."""

    code: int
    output: str
    found: dict[str, Any]


def derive(folder: Path, *options: str, inventory: str = "staging", **variables: Any) -> Derived:
    """Run the play beside the project's group_vars, with the operator's values in the inventory."""
    written = folder / "derived.json"
    for name in ("group_vars", "tasks"):
        (folder / name).symlink_to(ROOT / "playbooks" / name)
    play = shutil.copy(ROOT / "tests/templates/preview.yml", folder)
    given = {**FILLED, "branch": "feature/search", "version": "1.4.1", "written": str(written)}
    done = subprocess.run(
        [
            *(PLAYBOOK, play, "-i", f"inventories/{inventory}"),
            *("-e", json.dumps(given | variables), *options),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = json.loads(written.read_text()) if written.exists() else {}
    return Derived(done.returncode, done.stdout + done.stderr, found)


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Derived:
    derived = derive(tmp_path_factory.mktemp("preview"), "-vvv")
    assert derived.code == 0, derived.output
    return derived


def test_its_names_are_its_own_everywhere(preview: Derived) -> None:
    model = preview.found["model"]
    assert (model["name"], model["domain"]) == (NAME, DOMAIN)
    assert model["directory"] == f"/srv/slipway/stacks/{NAME}"
    assert model["services"]["backend"]["environment"]["DJANGO_ALLOWED_HOSTS"] == DOMAIN
    assert preview.found["data"]["stack"] == NAME
    (router,) = preview.found["certificate"]["http"]["routers"].values()
    assert f"(Host(`{DOMAIN}`))" in router["rule"]


def test_it_is_as_well_protected_as_staging(preview: Derived) -> None:
    model, staging = preview.found["model"], rendered("staging").model
    for name in ("noindex", "basic_auth"):
        assert model[name] is True is staging[name]
    assert model["edge"]["addresses"] == staging["edge"]["addresses"]


def test_it_is_small(preview: Derived) -> None:
    assert preview.found["model"]["sizes"]["backend"] == {
        "replicas": 1, "memory": "384m", "cpus": 0.5,
    }  # fmt: skip
    assert all(one["replicas"] == 1 for one in preview.found["model"]["sizes"].values())
    assert (preview.found["data"]["memory"], preview.found["data"]["cpus"]) == ("512m", 0.5)


def test_it_has_the_version_that_is_asked_for(preview: Derived) -> None:
    assert preview.found["version"] == "1.4.1"


def test_it_has_none_of_stagings_secrets(preview: Derived) -> None:
    secrets = preview.found["secrets"]
    assert set(secrets) == {"django_secret_key", "database_user", "database_password"}
    assert secrets["database_password"] == preview.found["password"]
    assert not {*secrets.values()} & {*map(str, FILLED.values())}


def test_no_secret_is_shown_at_a_high_verbosity(preview: Derived) -> None:
    for name in ("django_secret_key", "database_password"):
        assert preview.found["secrets"][name] not in preview.output
    for name in ("vault_django_secret_key", "vault_postgres_password"):
        # Once, where the test itself gives it.
        assert f'"{FILLED[name]}"' not in preview.output.partition("PLAY [")[2]


def test_a_preview_of_production_is_refused(tmp_path: Path) -> None:
    derived = derive(tmp_path, inventory="production")
    assert derived.code != 0
    assert "open to search engines" in derived.output
    assert "take the inventory of staging" in derived.output
    assert not derived.found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"stack_name": "staging"}, "stack_name is given on the command line"),
        (
            {"preview_seed": [{"name": "seed", "service": "back", "command": ["x"]}]},
            "back is not in",
        ),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_cannot_work_is_refused_before_a_host_is_asked(
    tmp_path: Path, variables: dict[str, Any], said: str
) -> None:
    derived = derive(tmp_path, **variables)
    assert derived.code != 0
    assert said in " ".join(derived.output.split())
    assert not derived.found


def test_a_place_is_chosen_and_built_while_the_host_is_held() -> None:
    play = yaml.safe_load((ROOT / "playbooks/preview.yml").read_text())[-1]
    hold, role = "slipway.stack.hold", "ansible.builtin.import_role"
    assert play["pre_tasks"][-1][hold].get("state", "held") == "held"
    assert play["post_tasks"][0][hold]["state"] == "free"
    held = [task[role]["name"] for task in play["tasks"] if role in task]
    assert held == ["preview", "preview", "network", "traefik", "data", "stack"]
    before = [task[role]["tasks_from"] for task in play["pre_tasks"] if role in task]
    assert before == ["name"]
    # The roll holds its stack itself.
    assert [task[role] for task in play["post_tasks"][1:]] == [{"name": "stack"}]
