"""The compose file of a stack's data project: what lives on while releases come and go."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.addresses import postgres_address
from ansible_collections.slipway.stack.plugins.module_utils.definition import STACK_LABEL, literal

# The uid and gid of postgres in the official image.
POSTGRES_UID = 999
STOP_SECONDS = 60


def data_definition(model: dict[str, Any]) -> dict[str, Any]:
    """Build the compose file from the data role's values (see `roles/data/vars/main.yml`).

    Postgres runs without root from the start, so that it needs no capability at all. Its secrets
    come in as a directory: a single mounted file would show its first content for ever.
    """
    stack = model["stack"]
    options = [
        part
        for name, value in sorted(model["options"].items())
        for part in ("-c", f"{name}={value}")
    ]
    return {
        "name": f"{stack}-data",
        "services": {
            "postgres": {
                "image": model["image"],
                "container_name": f"{stack}-postgres",
                "command": literal(["postgres", *options]),
                "environment": {
                    "POSTGRES_PASSWORD_FILE": "/run/slipway/superuser_password",
                    "POSTGRES_INITDB_ARGS": "--data-checksums",
                    # Below the mount: initdb wants a directory that is empty.
                    "PGDATA": "/var/lib/postgresql/data/pgdata",
                },
                "user": f"{POSTGRES_UID}:{POSTGRES_UID}",
                "read_only": True,
                "tmpfs": [
                    "/tmp",  # noqa: S108 - a path inside the container
                    f"/var/run/postgresql:uid={POSTGRES_UID},gid={POSTGRES_UID},mode=0775",
                ],
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
                "mem_limit": model["memory"],
                "cpus": model["cpus"],
                "pids_limit": 512,
                "shm_size": model["shm"],
                "restart": "unless-stopped",
                "stop_grace_period": f"{STOP_SECONDS}s",
                "networks": {"data": {"ipv4_address": postgres_address(model["subnet"])}},
                "volumes": [
                    {"type": "volume", "source": "postgres", "target": "/var/lib/postgresql/data"},
                    _read_only("./secrets", "/run/slipway"),
                    _read_only("./init", "/docker-entrypoint-initdb.d"),
                ],
                "healthcheck": {
                    # Over TCP: the server that only initialises listens on its socket alone.
                    "test": [
                        *("CMD", "pg_isready", "--quiet", "--host", "127.0.0.1"),
                        *("--dbname", model["database"], "--username", model["user"]),
                    ],
                    "interval": "10s",
                    "timeout": "3s",
                    "start_period": "60s",
                    "start_interval": "1s",
                    "retries": 5,
                },
                "labels": {f"{STACK_LABEL}.data": stack},
            }
        },
        "networks": {"data": {"name": f"{stack}-data", "external": True}},
        "volumes": {"postgres": {"name": f"{stack}-postgres"}},
    }


def _read_only(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "read_only": True}
