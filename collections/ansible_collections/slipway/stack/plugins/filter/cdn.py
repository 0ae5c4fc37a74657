"""Filters over ``module_utils.cdn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.cdn import cdn_networks, cdn_warning

DOCUMENTATION = """
name: cdn
short_description: The networks of a CDN, and how old what is known of them is
description: See C(module_utils/cdn.py).
"""


class FilterModule:
    """The filters by their names in playbooks."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters, to be used as ``slipway.stack.<name>``."""
        return {"cdn_networks": cdn_networks, "cdn_warning": cdn_warning}
