"""The database, the tests, the working copy and the images behind the page."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import requests
from bench.development import Project, machine_part
from bench.engine import docker
from bench.images import source
from bench.names import PREFIX, ROOT, STATE
from bench.shell import run

from .conftest import API, PAGE, Copy, answer, eventually, names

# What the tests themselves leave in a working copy; all of it is ignored by Git.
LEFT = frozenset({".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "node_modules"})
TRY = """
import importlib.util, json
from config import settings
there = [name for name in ("development", "pytest", "tests", "watchfiles")
         if importlib.util.find_spec(name)]
print(json.dumps([there, settings.DEBUG]))
"""


def notes() -> list[int]:
    return [one["notes"] for one in answer(f"{API}/api/boards/").json()["boards"]]


def counted() -> int:
    return sum(
        answer(f"{API}/api/boards/{one['id']}/activity/").json()["notes"]
        for one in answer(f"{API}/api/boards/").json()["boards"]
    )


def test_reset_leaves_the_seeded_notes_and_a_worker_that_counts_them(copy: Copy) -> None:
    copy.compose("run", "--rm", "setup", "python", "manage.py", "reset_database")
    eventually(lambda: notes() == [2, 2, 2])
    eventually(lambda: counted() == 6, seconds=30)


def test_next_start_keeps_the_notes_and_brings_no_deleted_one_back(copy: Copy) -> None:
    session = requests.Session()
    board = session.get(f"{PAGE}/api/boards/", timeout=5).json()["boards"][0]["id"]
    found = session.get(f"{PAGE}/api/boards/{board}/notes/", timeout=5).json()["notes"]
    gone = session.delete(
        f"{PAGE}/api/notes/{found[0]['id']}/",
        headers={"X-CSRFToken": str(session.cookies["csrftoken"]), "Origin": PAGE},
        timeout=5,
    )
    assert gone.status_code == 204
    copy.compose("down", "--timeout=1")
    copy.compose("up", "--detach")
    eventually(lambda: notes() == [1, 2, 2], seconds=60)


def test_tests_run_in_the_containers(copy: Copy) -> None:
    for file in ("backend/boards/views.py", "backend/activity/words.py", "frontend/src/App.tsx"):
        shutil.copyfile(ROOT / "example" / file, copy.folder / file)
    copy.compose("exec", "-T", "backend", "pytest", "--quiet")
    copy.compose("exec", "-T", "frontend", "pnpm", "test")


def test_tests_run_outside_of_the_containers(copy: Copy, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    few = ("pytest", "-p", "no:cacheprovider", "tests/test_api.py")
    run(
        [uv, "run", "--locked", "--python", sys.executable, *few],
        environment={
            "DATABASE_PORT": "15432",
            "PYTHONDONTWRITEBYTECODE": "1",
            "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv"),
        },
        folder=copy.folder / "backend",
    )


def test_nothing_in_the_working_copy_is_anybody_else_s(copy: Copy) -> None:
    owner = copy.folder.stat().st_uid
    assert os.geteuid() != 0 or owner != 0
    found = names(copy.folder)
    assert [one for one in found if (copy.folder / one).stat().st_uid != owner] == []
    new = {one for one in found - copy.files if LEFT.isdisjoint(Path(one).parts)}
    assert new == set()
    assert list((copy.folder / "frontend/node_modules").iterdir()) == []


def test_image_that_is_released_has_nothing_of_all_that(copy: Copy) -> None:
    shipped = Project(copy.folder, f"{PREFIX}-development-images", files=("compose.yml",))
    part = machine_part(shipped.definition(), source())
    image = f"{PREFIX}/example-backend:shipped"
    throwaway = {"services": {"backend": {"image": image}}}
    shipped = shipped.with_file(STATE / "development-machine.json", part)
    shipped = shipped.with_file(STATE / "development-image.json", throwaway)
    shipped.compose("build", "backend")
    try:
        variables = ("DATABASE_HOST", "DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD")
        given = [f"--env={name}=x" for name in (*variables, "DJANGO_SECRET_KEY")]
        given += ["--env=DJANGO_ALLOWED_HOSTS=localhost", "--env=DJANGO_DEBUG=true"]
        said = docker("run", "--rm", "--network=none", *given, image, "python", "-c", TRY)
        assert said.strip() == "[[], false]"
    finally:
        docker("image", "rm", image)
