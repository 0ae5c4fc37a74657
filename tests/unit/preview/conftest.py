from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible_collections.slipway.stack.plugins.module_utils import launch

ROOT = Path(__file__).parents[3] / "collections"


def archive_code(path: Path, year: int) -> None:
    """Pack the code as Ansible does: with the time, packages all the way, and files of its own."""
    code = ROOT / "ansible_collections/slipway/stack/plugins/module_utils"
    packages = [code, *code.parents]
    packages = [one for one in packages if one.is_relative_to(ROOT) and one != ROOT]
    files = {
        **{one / "__init__.py": b"" for one in packages},
        **{one: one.read_bytes() for one in code.glob("*.py")},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ansible/module_utils/basic.py", str(year))
        for file, content in files.items():
            time = (year, 1, 1, 0, 0, 0)
            archive.writestr(zipfile.ZipInfo(str(file.relative_to(ROOT)), time), content)


@pytest.fixture
def archived(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the code run from an archive, as it does on a host."""
    path = tmp_path_factory.mktemp("payload") / "module.zip"
    archive_code(path, 2026)
    monkeypatch.setattr(launch, "own_code", lambda: path)
    return path
