from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from config.storage import ReleaseStaticFilesStorage


@pytest.fixture
def source(settings: Settings, tmp_path: Path) -> Path:
    """The static files of "the application", collected to tmp_path as in production."""
    source = tmp_path / "source"
    source.mkdir()
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.STATIC_MANIFEST_ROOT = str(tmp_path / "release")
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "config.storage.ReleaseStaticFilesStorage"},
    }
    (source / "dot.svg").write_text("<svg/>")
    (source / "page.css").write_text("body { background: url(dot.svg) }")
    return source


def collect(settings: Settings, release: Path) -> dict[str, str]:
    """Collect for one release and return its manifest's paths."""
    settings.STATIC_MANIFEST_ROOT = str(release)
    settings.STORAGES = {**settings.STORAGES}  # forget the storage of the release before
    call_command("collectstatic", "--noinput", verbosity=0)
    paths: dict[str, str] = json.loads((release / "staticfiles.json").read_text())["paths"]
    return paths


def test_a_release_adds_files_and_keeps_its_own_manifest(
    settings: Settings, source: Path, tmp_path: Path
) -> None:
    first = collect(settings, tmp_path / "first")
    (source / "page.css").write_text("body { background: url(dot.svg); color: teal }")
    second = collect(settings, tmp_path / "second")

    assert first["dot.svg"] == second["dot.svg"]
    assert first["page.css"] != second["page.css"]
    static = tmp_path / "static"
    for name in (*first.values(), *second.values()):
        assert (static / name).stat().st_mode & 0o777 == 0o644
    assert first["dot.svg"] in (static / first["page.css"]).read_text()
    assert not (static / "staticfiles.json").exists()
    assert not list(static.rglob(".new-*"))


def test_a_file_that_is_being_served_is_never_missing(
    settings: Settings, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = collect(settings, tmp_path / "first").values()
    save = ReleaseStaticFilesStorage._save

    def watched(self: ReleaseStaticFilesStorage, name: str, content: ContentFile[bytes]) -> str:
        assert all((tmp_path / "static" / each).stat().st_size for each in served)
        return save(self, name, content)

    monkeypatch.setattr(ReleaseStaticFilesStorage, "_save", watched)
    collect(settings, tmp_path / "second")


def test_a_write_that_breaks_leaves_the_old_file(
    settings: Settings, source: Path, tmp_path: Path
) -> None:
    class Broken(ContentFile):  # type: ignore[type-arg]
        def chunks(self, chunk_size: int | None = None):  # type: ignore[no-untyped-def]
            yield b"half"
            raise OSError("no space left on device")

    storage = ReleaseStaticFilesStorage()
    storage.save("page.css", ContentFile(b"whole"))
    with pytest.raises(OSError, match="no space left"):
        storage.save("page.css", Broken(b""))
    assert [path.name for path in (tmp_path / "static").iterdir()] == ["page.css"]
    assert (tmp_path / "static/page.css").read_bytes() == b"whole"


@pytest.mark.django_db
def test_the_admin_asks_for_hashed_files(
    settings: Settings, source: Path, tmp_path: Path, client: Client
) -> None:
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]
    paths = collect(settings, tmp_path / "release")
    page = client.get("/admin/login/").content.decode()
    assert f'href="/static/{paths["admin/css/base.css"]}"' in page
