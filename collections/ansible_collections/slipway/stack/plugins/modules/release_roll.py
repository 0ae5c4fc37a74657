"""Roll a stack to a release; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_roll
short_description: Make a release the one that serves
description:
  - Writes a new release's directory, all of it or nothing, and starts one process on the host, a
    transient systemd unit, which does the whole of the work under the stack's lock. It pulls the
    images, runs the commands that come first, starts the release beside the one that serves, waits
    until it is healthy, asks it through Traefik by a private route, switches to it by renaming one
    file, watches it under its visitors, drains and stops the old release, and drops what is no
    longer kept.
  - Goes back by itself when the release turns out to be bad.
  - The process needs nobody to follow it. A controller that is killed, or whose line is cut, leaves
    it alone, and the next deploy follows it or finds its result.
  - As a task it is an action that follows the process and shows a line for each phase.
options:
  job:
    description:
      - What is to be done, as C(roles/stack/vars/main.yml) puts it together.
      - Either this or O(id) is required.
    type: dict
  id:
    description: The id of a job that is under way and is to be followed.
    type: str
  files:
    description: What a new release is made of. One that is on the host already has its files.
    type: dict
    suboptions:
      manifest:
        description: The release, as M(slipway.stack.release_plan) returned it.
        type: dict
        required: true
      serving:
        description: The id of the release that serves now, for the difference that is shown.
        type: str
      compose:
        description: The text of the compose file.
        type: str
        required: true
      routes:
        description: The text of Traefik's dynamic file.
        type: str
        required: true
      secrets:
        description:
          - The secrets, as JSON in base64.
          - C(services) maps a service to its C(uid) and its C(values).
          - C(users) is a text of C(name:hash) lines.
        type: str
        required: true
      volumes:
        description: The volumes by name, each with its C(owner) and its C(scope).
        type: dict
        required: true
extends_documentation_fragment:
  - slipway.stack.host
  - slipway.stack.host.stack
attributes:
  check_mode:
    support: full
    description: It shows the difference, and neither writes nor starts anything.
  diff_mode:
    support: full
    description: Shows the compose file and the routes beside those that serve; never a secret.
author: Slipway
"""

EXAMPLES = r"""
- name: Roll to the release
  slipway.stack.release_roll:
    host_directory: /srv/slipway
    stack: production
    job: "{{ __stack_job }}"
    files: "{{ __stack_files }}"
"""

RETURN = r"""
follower:
  description: The command that waits on the host for news of the job, as a list of words.
  type: list
  elements: str
  returned: success and not in check mode
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils import launch
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.files import (
    Content,
    comparable,
    read_secrets,
    write_release,
)
from ansible_collections.slipway.stack.plugins.module_utils.job import Job, job_named, new_job
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)
from ansible_collections.slipway.stack.plugins.module_utils.unit import drop_old

FILES = {
    "manifest": {"type": "dict", "required": True},
    "serving": {"type": "str"},
    "compose": {"type": "str", "required": True},
    "routes": {"type": "str", "required": True},
    "secrets": {"type": "str", "required": True, "no_log": True},
    "volumes": {"type": "dict", "required": True},
}


def main() -> None:
    """Write the release, start or find the job, and say how to follow it."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "job": {"type": "dict"},
            "id": {"type": "str"},
            "files": {"type": "dict", "options": FILES},
        },
        required_one_of=[("job", "id")],
        mutually_exclusive=[("job", "id")],
        supports_check_mode=True,
    )
    given = module.params
    directory = StackDirectory(Path(given["host_directory"]), given["stack"])
    answer: dict[str, Any] = {"changed": True}
    try:
        if given["files"]:
            answer["diff"] = written(directory, given["files"], check=module.check_mode)
        if not module.check_mode:
            if given["id"]:
                place = job_named(directory, given["id"])
            else:
                drop_old(directory)
                place = new_job(Job.from_mapping(given["job"]))
                launch.start(place, given["stack"])
            answer["follower"] = launch.follower(place, given["stack"])
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


def written(directory: StackDirectory, files: dict[str, Any], *, check: bool) -> dict[str, str]:
    """Write the release's directory unless it is only to be checked; return the difference."""
    manifest = Manifest(**files["manifest"])
    before = comparable(directory, files["serving"], manifest)
    content = Content(
        compose=files["compose"],
        routes=files["routes"],
        secrets=read_secrets(files["secrets"]),
        volumes=files["volumes"],
    )
    if not check:
        write_release(directory, manifest, content, Engine())
    return {
        "before_header": f"release {files['serving'] or '(none)'}",
        "after_header": f"release {manifest.id}",
        "before": before,
        "after": content.compose + content.routes,
    }


if __name__ == "__main__":
    main()
