"""The command with which Ansible itself would reach a host over SSH, for processes of our own."""

from __future__ import annotations

from typing import Any


def ssh_command(connection: Any, address: str, shell_command: str, *options: str) -> list[str]:
    """Return the arguments that run a shell command on the host of an `ssh` connection.

    `options` are ssh's own, such as `ControlMaster=no`: ssh takes the first word on each, so they
    beat those of the inventory. A password is nobody's to give here.
    """
    ssh = connection.get_option("ssh_executable")
    host = connection.get_option("host") or address
    # The one way to the options, keys and paths with which Ansible itself calls ssh.
    built = connection._build_command(ssh, "ssh", host, shell_command)  # noqa: SLF001
    arguments = [part.decode() for part in built]
    arguments = arguments[arguments.index(ssh) + 1 :]
    return [ssh, *(word for option in options for word in ("-o", option)), *arguments]
