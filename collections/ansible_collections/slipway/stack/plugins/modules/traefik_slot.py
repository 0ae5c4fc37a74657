"""Have Traefik run as wanted; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_slot
short_description: Have Traefik run as wanted, in the slot that visitors are led to
description:
  - Compares what is wanted with what runs in the active slot. What differs starts in the other
    slot; once it serves what the active one serves, the door leads new connections there. The old
    one is stopped when its connections have ended.
  - One process on the host, a transient systemd unit, does the work, and needs nobody to follow it.
    What does not come up never gets a visitor.
  - Joins the active slot to the edge networks that it is not on yet, without a restart.
  - As a task it is an action that follows the process and shows a line for each phase.
options:
  subnet:
    description: The door's subnet, in which the slots have their addresses.
    type: str
    required: true
  subnet_v6:
    description: The door's IPv6 subnet, in which the slots have addresses too; empty for none.
    type: str
    default: ""
  image:
    description: Traefik's image.
    type: str
    required: true
  memory:
    description: The most memory that Traefik may use, in Docker's words.
    type: str
    required: true
  cpus:
    description: The most processor time that Traefik may use, in cores.
    type: float
    required: true
  grace:
    description: The seconds that Traefik itself gives to requests in flight when it stops.
    type: int
    required: true
  static:
    description: The text of the static configuration. It calls the slot's own address C(slot).
    type: str
    required: true
  acme:
    description: Whether Traefik gets certificates from a CA, which it keeps in its slot.
    type: bool
    default: false
  environment:
    description: Environment variables of the container. They show in C(docker inspect).
    type: dict
    default: {}
  credentials:
    description: What a DNS provider is asked with, names of variables and their values, as JSON in
      base64. The container gets a file for each.
    type: str
    default: ""
  drain_timeout:
    description: The most seconds to wait for connections to an old slot to end.
    type: int
    required: true
  probe_rate:
    description: How many requests a second are asked of each stack while Traefik is replaced.
    type: float
    required: true
  lock_wait:
    description: The most seconds to wait for a roll that is under way.
    type: int
    default: 0
  who:
    description: Who provisions.
    type: str
    default: ""
  run:
    description: The URL or number of the CI run that provisions.
    type: str
    default: ""
extends_documentation_fragment:
  - slipway.stack.host
attributes:
  check_mode:
    support: full
    description: It shows the difference, and neither writes nor starts anything.
  diff_mode:
    support: full
    description: Shows the static configuration beside the one that serves, and image and limits.
author: Slipway
"""

EXAMPLES = r"""
- name: Run Traefik
  slipway.stack.traefik_slot:
    host_directory: /srv/slipway
    subnet: 10.213.0.0/24
    subnet_v6: fd5c:1b0a:7e3d:d::/64
    image: traefik:v3.7.15
    memory: 512m
    cpus: 1.0
    grace: 30
    static: "{{ lookup('ansible.builtin.template', 'traefik.yml.j2') }}"
    drain_timeout: 120
    probe_rate: 5
"""

RETURN = r"""
follower:
  description: The command that waits on the host for news of the job, as a list of words.
  type: list
  elements: str
  returned: when a process replaces Traefik
under_way:
  description: Whether that process was under way already.
  type: bool
  returned: when a process replaces Traefik
"""

import json
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import (
    credentials,
    door,
    flip,
    launch,
    unit,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.job import put_job
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError
from ansible_collections.slipway.stack.plugins.module_utils.slots import (
    SERVICE,
    Slots,
    Wanted,
    join,
    look,
    slot_definition,
)

FACTS = {"image": "image", "memory": "mem_limit", "cpus": "cpus"}


def main() -> None:
    """Compare, join networks, and start or find the process that replaces Traefik."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "subnet": {"type": "str", "required": True},
            "subnet_v6": {"type": "str", "default": ""},
            "image": {"type": "str", "required": True},
            "memory": {"type": "str", "required": True},
            "cpus": {"type": "float", "required": True},
            "grace": {"type": "int", "required": True},
            "static": {"type": "str", "required": True},
            "acme": {"type": "bool", "default": False},
            "environment": {"type": "dict", "default": {}},
            "credentials": {"type": "str", "default": "", "no_log": True},
            "drain_timeout": {"type": "int", "required": True},
            "probe_rate": {"type": "float", "required": True},
            "lock_wait": {"type": "int", "default": 0},
            "who": {"type": "str", "default": ""},
            "run": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        values = credentials.read_credentials(given["credentials"])
        job = job_of(given, values)
        if not module.check_mode:
            credentials.put(job.directory.root, job.wanted.credentials, values)
        answer = checked(job, Engine()) if module.check_mode else done(job, Engine())
    except (ReleaseError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


def job_of(given: dict[str, Any], values: dict[str, str]) -> flip.FlipJob:
    """Say what is to be done; `values` are the credentials, of which it holds no more than names.

    A host that was never provisioned has no key yet: only a check sees it so.
    """
    key = Path(given["host_directory"]) / "key"
    wanted = {one.name: given[one.name] for one in fields(Wanted)}
    wanted["environment"] = given["environment"] | credentials.environment(values)
    wanted["credentials"] = credentials.directory_name(
        values, key.read_bytes() if door.RECORD.exists() else b""
    )
    return flip.FlipJob(
        host_directory=given["host_directory"],
        subnet=given["subnet"],
        wanted=Wanted(**wanted),
        drain_timeout=given["drain_timeout"],
        probe_rate=given["probe_rate"],
        lock_wait=given["lock_wait"],
        actor={"who": given["who"], "run": given["run"]},
    )


def checked(job: flip.FlipJob, engine: Engine) -> dict[str, Any]:
    """Say what would be done; a host that was never provisioned may know no slot yet."""
    if not door.RECORD.exists():
        return {"changed": True, "diff": difference(job, None)}
    slots = look(engine, job.subnet)
    differs = not slots.settled() or not slots.has(job.wanted, engine)
    return {"changed": differs or bool(slots.unjoined), "diff": difference(job, slots)}


def done(job: flip.FlipJob, engine: Engine) -> dict[str, Any]:
    """Do what takes no time, and start or find the process for the rest."""
    for place in unit.jobs(job.directory):
        if place.result() is None and unit.alive(place, job.directory.stack):
            return {
                "changed": True,
                "follower": launch.follower(place, job.directory.stack),
                "under_way": True,
            }
    slots = look(engine, job.subnet)
    if slots.settled() and slots.has(job.wanted, engine):
        join(slots, engine)
        Proxy(slots.address).get("/api/version")
        credentials.keep_only(job.directory.root, job.wanted.credentials)
        return {"changed": bool(slots.unjoined)}
    unit.drop_old(job.directory)
    place = put_job(job.directory.jobs, asdict(job))
    launch.start(place, job.directory.stack, "flip")
    return {
        "changed": True,
        "diff": difference(job, slots),
        "follower": launch.follower(place, job.directory.stack),
        "under_way": False,
    }


def difference(job: flip.FlipJob, slots: Slots | None) -> dict[str, str]:
    """Show the static configuration beside the one that serves, and what else differs."""
    root = job.directory.root
    before = ""
    if slots:
        static = job.directory.static(slots.active)
        with suppress(OSError, ValueError, KeyError):
            found = json.loads((static.parent / "compose.yml").read_text())
            before = static.read_text() + facts(found)
    wanted = slot_definition(job.wanted, "a", root, job.subnet, [])
    return {"before": before, "after": job.wanted.static + facts(wanted)}


def facts(definition: dict[str, Any]) -> str:
    """Write what of a container no configuration file says; of credentials no more than a hash."""
    container = definition["services"][SERVICE]
    lines = [f"{name}: {container[key]}" for name, key in FACTS.items()]
    lines += [f"environment: {name}={value}" for name, value in container["environment"].items()]
    lines += [
        f"credentials: {Path(mount['source']).name}"
        for mount in container["volumes"]
        if mount["target"] == credentials.MOUNT
    ]
    return "".join(f"# {line}\n" for line in lines)


if __name__ == "__main__":
    main()
