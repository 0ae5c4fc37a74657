"""Run one check of the application, beside a real Postgres where it wants one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.application import Application, Check
from pipeline.shell import PipelineError, ask, run, say

ACCOUNT = "app"
START_SECONDS = 60


def check(application: Application, name: str) -> None:
    """Run a check's commands one after the other; PipelineError at the first that fails."""
    if name not in application.checks:
        raise PipelineError(
            f"There is no check '{name}' in slipway.toml, only: {', '.join(application.checks)}."
        )
    one = application.checks[name]
    if one.postgres:
        with postgres(one.postgres) as environment:
            _run(application, one, environment)
    else:
        _run(application, one, {})


def _run(application: Application, one: Check, environment: Mapping[str, str]) -> None:
    for command in one.run:
        run(
            command, folder=application.root / one.folder, environment={"CI": "true", **environment}
        )


@contextmanager
def postgres(image: str) -> Iterator[dict[str, str]]:
    """Run a database on a free port of this machine; yield what says where it is."""
    password = secrets.token_hex(16)
    account = [f"POSTGRES_{name}={ACCOUNT}" for name in ("USER", "DB")]
    container = ask(
        [
            *("docker", "run", "--detach", "--rm", "--publish=127.0.0.1::5432"),
            *(f"--env={each}" for each in account),
            *("--env=POSTGRES_PASSWORD", "--tmpfs=/var/lib/postgresql/data", image),
            *("-c", "fsync=off"),
        ],
        environment={"POSTGRES_PASSWORD": password},
    ).strip()
    try:
        port = ask(["docker", "port", container, "5432/tcp"]).splitlines()[0].rpartition(":")[2]
        _wait(container)
        yield addresses(port, password)
    finally:
        ask(["docker", "rm", "--force", "--volumes", container])


def _wait(container: str) -> None:
    """Wait until it answers over TCP: the image's own first start listens on its socket only."""
    end = time.monotonic() + START_SECONDS
    question = ["docker", "exec", container, "pg_isready", "-h", "127.0.0.1", "-U", ACCOUNT]
    while True:
        try:
            ask(question)
        except PipelineError as error:
            if time.monotonic() > end:
                raise PipelineError(f"Postgres did not start within {START_SECONDS} s.") from error
            time.sleep(0.2)
        else:
            say("Postgres answers.")
            return


def addresses(port: str, password: str) -> dict[str, str]:
    """Say where the database is, in the words of libpq, of Django's habits and as one address."""
    known = {"HOST": "127.0.0.1", "PORT": port, "USER": ACCOUNT, "PASSWORD": password}
    return {
        **{f"PG{name}": value for name, value in known.items()},
        "PGDATABASE": ACCOUNT,
        **{f"DATABASE_{name}": value for name, value in known.items()},
        "DATABASE_NAME": ACCOUNT,
        "DATABASE_URL": f"postgresql://{ACCOUNT}:{password}@127.0.0.1:{port}/{ACCOUNT}",
    }
