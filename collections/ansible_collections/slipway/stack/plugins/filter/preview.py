"""Filters over ``module_utils.preview``: what the preview of a branch is, derived from a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import preview

DOCUMENTATION = """
name: preview
short_description: The variables of a branch's preview
description: See C(module_utils/preview.py), which derives them.
"""


def preview_variables(base: Mapping[str, Any], branch: str) -> dict[str, Any]:
    """Return the variables in which the preview differs from its stack."""
    return preview.preview_variables(base, str(branch))


def preview_name(stack: str, branch: str) -> str:
    """Return the preview's name as a stack."""
    return preview.stack_name(str(stack), str(branch))


def preview_request(branch: str, state: str) -> str:
    """Say what is wrong with what is asked for, or nothing."""
    return preview.request_problem(str(branch), str(state))


class FilterModule:
    """The filters by their names in playbooks."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters, to be used as ``slipway.stack.<name>``."""
        return {
            "preview_name": preview_name,
            "preview_request": preview_request,
            "preview_variables": preview_variables,
            "preview_unfit": preview.unfit,
            "preview_refusals": preview.preview_refusals,
        }
