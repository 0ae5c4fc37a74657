from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings


def collect(settings: Settings, root: Path) -> dict[str, str]:
    """Collect as a release does, into a directory of its own; return the hashed names."""
    settings.STATIC_ROOT = str(root)
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    call_command("collectstatic", "--noinput", verbosity=0)
    paths: dict[str, str] = json.loads((root / "staticfiles.json").read_text())["paths"]
    return paths


def test_releases_that_differ_in_a_file_differ_in_its_name_alone(
    settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    (source / "dot.svg").write_text("<svg/>")
    (source / "page.css").write_text("body { background: url(dot.svg) }")
    first = collect(settings, tmp_path / "first")
    (source / "page.css").write_text("body { background: url(dot.svg); color: teal }")
    second = collect(settings, tmp_path / "second")

    assert first["dot.svg"] == second["dot.svg"]
    assert first["page.css"] != second["page.css"]
    for root, paths in (("first", first), ("second", second)):
        assert all((tmp_path / root / name).exists() for name in paths.values())
        assert paths["dot.svg"] in (tmp_path / root / paths["page.css"]).read_text()


@pytest.mark.django_db
def test_the_admin_asks_for_hashed_files(
    settings: Settings, tmp_path: Path, client: Client
) -> None:
    paths = collect(settings, tmp_path)
    page = client.get("/admin/login/").content.decode()
    assert f'href="/static/{paths["admin/css/base.css"]}"' in page
