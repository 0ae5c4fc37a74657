import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment

BACKEND = Path(__file__).parent.parent


def test_a_file_wins_over_the_variable_and_loses_its_last_newline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(" from file \n")
    monkeypatch.setenv("KEY", "from variable")
    assert environment.secret("KEY") == "from variable"
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    assert environment.secret("KEY") == " from file "


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="KEY is missing: set KEY_FILE"):
        environment.secret("KEY")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE: cannot read .*No such file"):
        environment.secret("KEY")
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE: .* is empty"):
        environment.secret("KEY")


def test_a_secret_may_have_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("new key\n\nold key\n")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    assert environment.secret_lines("KEY") == ["new key", "old key"]
    (tmp_path / "key").write_text(" \n")
    with pytest.raises(ImproperlyConfigured, match="KEY has nothing but white space"):
        environment.secret_lines("KEY")


def test_values_are_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.words("LIST", default="") == []
    assert environment.number("NUMBER", default=3) == 3
    for name, value in {"LIST": " a, ,b", "NUMBER": "many"}.items():
        monkeypatch.setenv(name, value)
    assert environment.words("LIST") == ["a", "b"]
    with pytest.raises(ImproperlyConfigured, match="NUMBER must be a whole number, not 'many'"):
        environment.number("NUMBER", default=3)


@pytest.mark.parametrize(
    "command", [["manage.py", "migrate"], ["-m", "gunicorn", "--bind", "127.0.0.1:0"]]
)
@pytest.mark.parametrize(
    "name",
    [
        "DJANGO_SECRET_KEY",
        "DJANGO_ALLOWED_HOSTS",
        "DATABASE_HOST",
        "DATABASE_NAME",
        "DATABASE_USER",
        "DATABASE_PASSWORD",
    ],
)
def test_every_command_stops_with_one_line_that_names_the_variable(
    command: list[str], name: str
) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(name)}
    environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    result = subprocess.run(  # noqa: S603
        [sys.executable, *command],
        cwd=BACKEND,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"{name} is missing: set " in line
