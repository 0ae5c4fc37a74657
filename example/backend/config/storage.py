"""Static files of several releases in one directory, which the web server reads all the time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class ManifestStorage(FileSystemStorage):
    """Where a release keeps its manifest: the names of its hashed files."""

    def _save(self, name: str, content: File[bytes]) -> str:
        return _save_whole(self, name, content)


class ReleaseStaticFilesStorage(ManifestStaticFilesStorage):
    """Hashed files go to STATIC_ROOT, the manifest that names them to STATIC_MANIFEST_ROOT."""

    def __init__(self) -> None:
        super().__init__(
            allow_overwrite=True,
            manifest_storage=ManifestStorage(location=settings.STATIC_MANIFEST_ROOT),
        )

    def _save(self, name: str, content: File[bytes]) -> str:
        return _save_whole(self, name, content)

    def delete(self, name: str) -> None:
        """Keep the file: Django deletes before it writes, and the release that serves reads it."""


def _save_whole(storage: FileSystemStorage, name: str, content: File[bytes]) -> str:
    """Write a file that appears whole or not at all, also when the command is killed."""
    target = Path(storage.path(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in content.chunks():
                file.write(chunk)
            os.fchmod(file.fileno(), storage.file_permissions_mode or 0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return name
