"""The action of `release_plan` does all the work."""

from __future__ import annotations

from ansible_collections.slipway.stack.plugins.action.release_plan import ActionModule

__all__ = ["ActionModule"]
