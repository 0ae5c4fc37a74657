"""What slipway.toml may say, and that a check runs its commands in order beside its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline import application, checks
from pipeline.shell import PipelineError

from tests.unit.pipeline.programs import Programs

SAMPLE = Path(__file__).parents[3] / "example"
GOOD = """\
[checks.tests]
folder = "backend"
run = ["true", "sh -c 'touch second'"]
[smoke]
"/" = 200
"""


def written(root: Path, text: str) -> Path:
    (root / "backend").mkdir(exist_ok=True)
    (root / "slipway.toml").write_text(text)
    return root


def test_the_sample_has_tests_and_linters_of_both_parts() -> None:
    found = application.read(SAMPLE)
    assert list(found.checks) == [
        "backend-tests", "backend-lint", "frontend-tests", "frontend-lint",
    ]  # fmt: skip
    assert found.checks["backend-tests"].postgres == "postgres:17"
    assert found.smoke["/api/boards/"] == 200


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "checks is missing"),
        ("[checks]", "checks is missing"),
        ("x = 1\n" + GOOD, "x is unknown"),
        ("[checks.Tests]\nrun = ['true']", "a name has lower-case letters"),
        ("[checks]\ntests = 1", "checks.tests is not a table"),
        ("[checks.tests]\nrun = ['true']\nshell = true", "checks.tests.shell is unknown"),
        ("[checks.tests]\nrun = 'true'", "checks.tests.run is not a list"),
        ("[checks.tests]\nrun = []", "checks.tests.run is not a list of commands"),
        ("[checks.tests]\nrun = [' ']", "checks.tests.run is not a list of commands"),
        ("[checks.tests]\nrun = ['true']\nfolder = 'front'", "front is no folder"),
        (GOOD + '"x" = 200', "smoke: 'x' = 200"),
        (GOOD + '"/x" = true', "smoke: '/x' = True"),
        (GOOD + '"/x" = 99', "smoke: '/x' = 99"),
        ("smoke = 1\n[checks.a]\nrun = ['true']", "smoke is not a table"),
        ("[checks", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(PipelineError) as caught:
        application.read(written(tmp_path, text))
    assert wrong in str(caught.value)
    assert "slipway.toml" in str(caught.value)


def test_an_application_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"slipway\.toml is missing"):
        application.read(tmp_path)


def test_a_check_runs_in_its_folder(tmp_path: Path) -> None:
    checks.check(application.read(written(tmp_path, GOOD)), "tests")
    assert (tmp_path / "backend" / "second").exists()


def test_the_first_command_that_fails_ends_a_check(tmp_path: Path) -> None:
    found = application.read(written(tmp_path, GOOD.replace('"true"', '"false"')))
    with pytest.raises(PipelineError, match="`false` failed with exit code 1"):
        checks.check(found, "tests")
    assert not (tmp_path / "backend" / "second").exists()


def test_a_check_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="There is no check 'test'"):
        checks.check(application.read(written(tmp_path, GOOD)), "test")


def test_a_database_is_there_for_a_check_and_gone_after_it(
    tmp_path: Path, programs: Programs
) -> None:
    programs.answer("docker run", "abc\n")
    programs.answer("docker port", "127.0.0.1:49153\n")
    text = GOOD.replace("run = [", 'postgres = "postgres:17"\nrun = ["sh -c \'env > seen\'", ')
    checks.check(application.read(written(tmp_path, text)), "tests")
    seen = dict(
        line.partition("=")[::2]
        for line in (tmp_path / "backend" / "seen").read_text().splitlines()
    )
    password = seen["DATABASE_PASSWORD"]
    assert seen["DATABASE_URL"] == f"postgresql://app:{password}@127.0.0.1:49153/app"
    assert (seen["PGPORT"], seen["DATABASE_NAME"], seen["CI"]) == ("49153", "app", "true")
    assert programs.lines()[-1] == "docker rm --force --volumes abc"
    assert not any(password in line for line in programs.lines())


def test_a_database_is_gone_after_a_check_that_failed(tmp_path: Path, programs: Programs) -> None:
    programs.answer("docker run", "abc\n")
    programs.answer("docker port", "127.0.0.1:49153\n")
    text = GOOD.replace("run = [", 'postgres = "postgres:17"\nrun = ["false", ')
    with pytest.raises(PipelineError):
        checks.check(application.read(written(tmp_path, text)), "tests")
    assert programs.lines()[-1] == "docker rm --force --volumes abc"
