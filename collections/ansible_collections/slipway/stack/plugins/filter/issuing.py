"""Filters over ``module_utils.issuing``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.issuing import (
    host_requests,
    left_to_ask,
    stack_request,
)

DOCUMENTATION = """
name: issuing
short_description: What Traefik is to ask a CA for
description: See C(module_utils/issuing.py).
"""


class FilterModule:
    """The filters by their names in playbooks."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters, to be used as ``slipway.stack.<name>``."""
        functions: list[Callable[..., Any]] = [host_requests, left_to_ask, stack_request]
        return {function.__name__: function for function in functions}
