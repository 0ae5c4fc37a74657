#!/usr/bin/python3
"""Do what the official image does: step down from root, make the first cluster, become Postgres."""

import gzip
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = Path(os.environ["PGDATA"])
SCRIPTS = Path("/docker-entrypoint-initdb.d")
USER = "postgres"
SETTINGS = ("POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS")


def read_settings() -> dict[str, str]:
    """Return the POSTGRES_* values, each from its variable or from the file that *_FILE names."""
    values = {}
    for name in SETTINGS:
        file = os.environ.get(f"{name}_FILE")
        if file and name in os.environ:
            sys.exit(f"error: both {name} and {name}_FILE are set (but are exclusive)")
        values[name] = Path(file).read_text().rstrip("\n") if file else os.environ.get(name, "")
    values["POSTGRES_USER"] = values["POSTGRES_USER"] or USER
    values["POSTGRES_DB"] = values["POSTGRES_DB"] or values["POSTGRES_USER"]
    return values


def step_down(command: list[str]) -> None:
    """Give the folders to the server's user and start over as that user."""
    DATA.mkdir(parents=True, exist_ok=True)
    DATA.chmod(0o700)
    for folder in (DATA, Path("/run/postgresql")):
        subprocess.run(
            ["find", folder, "!", "-user", USER, "-exec", "chown", USER, "{}", "+"], check=True
        )
    os.execvp("gosu", ["gosu", USER, __file__, *command])  # noqa: S606


def make_cluster(values: dict[str, str]) -> None:
    """Run initdb and let in whom the official image lets in."""
    method = os.environ.get("POSTGRES_HOST_AUTH_METHOD", "")
    if not values["POSTGRES_PASSWORD"] and method != "trust":
        sys.exit("error: the database is not initialised and POSTGRES_PASSWORD is not set")
    with tempfile.NamedTemporaryFile("w", prefix="pw") as password:
        password.write(values["POSTGRES_PASSWORD"] + "\n")
        password.flush()
        arguments = shlex.split(values["POSTGRES_INITDB_ARGS"])
        if values["POSTGRES_PASSWORD"]:
            arguments.append(f"--pwfile={password.name}")
        subprocess.run(
            ["initdb", f"--username={values['POSTGRES_USER']}", f"--pgdata={DATA}", *arguments],
            check=True,
        )
    with (DATA / "pg_hba.conf").open("a") as rules:
        rules.write(f"\nhost all all all {method or 'scram-sha-256'}\n")


def fill_cluster(values: dict[str, str]) -> None:
    """Create the database and run the user's scripts on a server that only a socket reaches."""
    control = ["pg_ctl", "-D", str(DATA), "-w"]
    password, user = values["POSTGRES_PASSWORD"], values["POSTGRES_USER"]
    environment = {**os.environ, "PGUSER": user, "PGPASSWORD": password}
    environment |= {"POSTGRES_USER": user, "POSTGRES_DB": values["POSTGRES_DB"]}
    psql = ["psql", "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--no-password"]
    into = [*psql, "--dbname", values["POSTGRES_DB"]]
    subprocess.run([*control, "-o", "-c listen_addresses='' -p 5432", "start"], check=True)
    try:
        if values["POSTGRES_DB"] != USER:
            name = values["POSTGRES_DB"].replace('"', '""')
            statement = f'CREATE DATABASE "{name}"'
            subprocess.run([*psql, "--dbname", USER, "-c", statement], check=True, env=environment)
        for script in sorted(SCRIPTS.iterdir()):
            if script.suffix == ".sh":
                shell = [] if os.access(script, os.X_OK) else ["bash"]
                subprocess.run([*shell, script], check=True, env=environment)
            elif script.suffix == ".sql":
                subprocess.run([*into, "-f", script], check=True, env=environment)
            elif script.name.endswith(".sql.gz"):
                text = gzip.decompress(script.read_bytes())
                subprocess.run(into, input=text, check=True, env=environment)
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True)


def main(command: list[str]) -> None:
    """Prepare when the command is the server itself, then become the command."""
    if command[0].startswith("-"):
        command = ["postgres", *command]
    asks_only = {"-?", "--help", "--describe-config", "-V", "--version"} & set(command)
    if command[0] == "postgres" and not asks_only:
        if os.getuid() == 0:
            step_down(command)
        DATA.mkdir(parents=True, exist_ok=True)
        if not (DATA / "PG_VERSION").exists():
            values = read_settings()
            make_cluster(values)
            fill_cluster(values)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
