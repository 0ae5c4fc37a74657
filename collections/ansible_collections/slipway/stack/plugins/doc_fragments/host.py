"""Parameters that several modules have, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """Where things lie on a host, and `stack`: of which stack they are."""

    DOCUMENTATION = r"""
options:
  host_directory:
    description: The directory that holds everything of this project on the host.
    type: path
    required: true
"""

    STACK = r"""
options:
  stack:
    description: The stack's name.
    type: str
    required: true
"""
