"""Refuse bad values of public variables before anything on the host changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.slipway.stack.plugins.module_utils.validation import (
    Options,
    Unrenderable,
    message,
    validate,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Read specs, defaults and values on the controller and check them there."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"roles"})
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``variables``, the number of checked variables, or fail with all problems."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        roles = self._task.args.get("roles")
        if not isinstance(roles, list) or not roles:
            raise AnsibleActionFail("roles: must be a list of at least one role's name.")

        directories = {str(role): self._role_directory(str(role)) for role in roles}
        specs = {role: self._specs(directory) for role, directory in directories.items()}
        known = [name for entries in specs.values() for name in entries["main"]]
        variables: dict[str, Any] = {}
        for directory in self._neighbours(directories):
            variables |= self._load(directory / "defaults" / "main.yml", optional=True)
        variables |= task_vars or {}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        values = {
            # What carries no role's name is not checked, and may well not be renderable.
            name: render(templar, value) if name in known else None
            for name, value in variables.items()
        }

        problems = validate(specs, values)
        result.update(changed=False, variables=len(known))
        if problems:
            result.update(failed=True, msg=message(problems))
        return result

    def _role_directory(self, role: str) -> Path:
        here = Path(self._loader.get_basedir())
        # Beside the play, on the configured path, and beside the collection itself.
        roots = [
            here / "roles",
            *map(Path, constants.DEFAULT_ROLES_PATH),
            Path(__file__).parents[6] / "roles",
        ]
        for root in roots:
            if (root / role / "meta" / "argument_specs.yml").is_file():
                return root / role
        searched = ", ".join(dict.fromkeys(map(str, roots)))
        raise AnsibleActionFail(
            f"The role {role} has no meta/argument_specs.yml. Correct its name, or roles_path in"
            f" ansible.cfg. Searched: {searched}."
        )

    @staticmethod
    def _neighbours(directories: dict[str, Path]) -> list[Path]:
        """Give every role beside the ones asked for: values may refer to any role's defaults."""
        roots = dict.fromkeys(directory.parent for directory in directories.values())
        return [path for root in roots for path in sorted(root.iterdir()) if path.is_dir()]

    def _specs(self, directory: Path) -> dict[str, Options]:
        data = self._load(directory / "meta" / "argument_specs.yml")
        return {name: entry["options"] for name, entry in data["argument_specs"].items()}

    def _load(self, path: Path, *, optional: bool = False) -> dict[str, Any]:
        if optional and not path.is_file():
            return {}
        data = self._loader.load_from_file(str(path), trusted_as_template=True)
        if not isinstance(data, dict):
            if optional and data is None:
                return {}
            raise AnsibleActionFail(f"{path} holds no mapping. Restore the file.")
        return data


def render(templar: Any, value: Any) -> Any:
    """Render a value leaf by leaf, so that one bad template does not hide the others."""
    if isinstance(value, dict):
        return {key: render(templar, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [render(templar, each) for each in value]
    try:
        return templar.template(value)
    except AnsibleUndefinedVariable as error:
        text = str(error)
        name = re.search(r"'(\w+)' is undefined", text)
        return Unrenderable(undefined=name[1] if name else "", reason=text)
    except AnsibleError as error:
        text = str(error)
        return Unrenderable(encrypted="undecryptable" in text, reason=text)
