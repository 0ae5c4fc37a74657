"""How a deploy or rollback ended: what the callback `outcome` writes and the pipeline reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEPLOYED, UNCHANGED, OVERTAKEN, FAILED = "deployed", "unchanged", "overtaken", "failed"
# Another deploy came between plan and roll.
STALE = "stale"


@dataclass
class Outcome:
    """How a run ended.

    `result` is one of the words above, or empty where no stack was planned; `report` has the fields
    of `record.Report`; `message` says why it failed.
    """

    result: str = ""
    message: str = ""
    host: str = ""
    stack: str = ""
    domain: str = ""
    release: str = ""
    report: dict[str, Any] | None = None
