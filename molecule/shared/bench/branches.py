"""Previews of branches on a test host: their names, their visitors, and the shipped playbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ansible_collections.slipway.stack.plugins.module_utils.preview import slug

from bench.playbooks import Environment, Run
from bench.visitor import Visitor

HTTPS_PORT: Final = 8591
HOST: Final = "slipway-bench-preview"
DOMAIN: Final = "staging.branches.test"
PASSWORD: Final = ("team", "the password of staging")
PRODUCTION: Final = Environment(("inventories/production", "molecule/inventory/preview"))
STAGING: Final = Environment(("inventories/staging", "molecule/inventory/preview-staging"))


@dataclass(frozen=True)
class Branch:
    """A branch of staging's, and its preview."""

    name: str

    @property
    def slug(self) -> str:
        """The branch's short name."""
        return slug("staging", self.name)

    @property
    def stack(self) -> str:
        """The preview's name as a stack."""
        return f"p-{self.slug}"

    def stranger(self) -> Visitor:
        """Return a visitor who does not know the password."""
        return Visitor(f"{self.slug}.preview.{DOMAIN}", HTTPS_PORT)

    def visitor(self) -> Visitor:
        """Return a visitor who knows it."""
        visitor = self.stranger()
        visitor.session.auth = PASSWORD
        return visitor

    def preview(self, *options: str, **variables: Any) -> Run:
        """Run the shipped playbook for the branch, and have it show all that it would ever show."""
        return STAGING.playbook(
            "playbooks/preview.yml", "-vvv", "--diff", *options, branch=self.name, **variables
        )
