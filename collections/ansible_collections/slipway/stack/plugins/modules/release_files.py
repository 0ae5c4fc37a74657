"""Write a release to the host; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_files
short_description: Write a new release's directory
description:
  - Writes the compose file, the routes, the manifest, the secrets and the volumes of a release into
    a directory of its own, all of it or nothing. Nothing starts and nobody is served by it yet.
  - Docker Compose checks the compose file before the directory gets its name.
options:
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
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
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description: Shows the compose file and the routes beside those that serve; never a secret.
author: Slipway
"""

EXAMPLES = r"""
- name: Write the release
  slipway.stack.release_files:
    host_directory: /srv/slipway
    manifest: "{{ __stack_plan['manifest'] }}"
    serving: "{{ __stack_plan['serving'] }}"
    compose: "{{ lookup('ansible.builtin.template', 'compose.yml.j2') }}"
    routes: "{{ lookup('ansible.builtin.template', 'routes.yml.j2') }}"
    secrets: "{{ __stack_secrets }}"
    volumes: "{{ stack_volumes }}"
"""

RETURN = r"""
directory:
  description: The release's directory.
  type: str
  returned: success
  sample: /srv/slipway/stacks/production/releases/20261122-101500-4f3a9c1e
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.files import (
    Content,
    comparable,
    read_secrets,
    write_release,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    Manifest,
    ReleaseError,
    StackDirectory,
)


def main() -> None:
    """Read the parameters, write the release, answer."""
    module = AnsibleModule(
        argument_spec={
            "host_directory": {"type": "path", "required": True},
            "manifest": {"type": "dict", "required": True},
            "serving": {"type": "str"},
            "compose": {"type": "str", "required": True},
            "routes": {"type": "str", "required": True},
            "secrets": {"type": "str", "required": True, "no_log": True},
            "volumes": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    manifest = Manifest(**module.params["manifest"])
    directory = StackDirectory(Path(module.params["host_directory"]), manifest.stack)
    content = Content(
        compose=module.params["compose"],
        routes=module.params["routes"],
        secrets=read_secrets(module.params["secrets"]),
        volumes=module.params["volumes"],
    )
    target = directory.release(manifest.id)
    try:
        if not module.check_mode:
            write_release(directory, manifest, content, Engine())
        before = comparable(directory, module.params["serving"], manifest)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=True,
        directory=str(target),
        diff={
            "before_header": f"release {module.params['serving'] or '(none)'}",
            "after_header": f"release {manifest.id}",
            "before": before,
            "after": content.compose + content.routes,
        },
    )


if __name__ == "__main__":
    main()
