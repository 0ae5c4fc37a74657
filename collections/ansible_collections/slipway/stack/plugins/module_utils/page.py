"""The page that visitors meet in place of an application: Traefik's part of it, as plain data.

The program that answers is `roles/edge/files/page.py`. Nobody's request is led there: Traefik's
middleware `errors` asks it for the page, once something has failed.
"""

from __future__ import annotations

from typing import Any

# What Traefik says when a service has no healthy server, cannot be reached or does not answer.
REPLACED_STATUSES = "502-504"
# A release that is down may be back any moment.
RETRY_SECONDS = 10


def page_middleware(stack: str, service: str, *, after: int = RETRY_SECONDS) -> dict[str, Any]:
    """Put the page of a stack in the place of what failed; the status stays."""
    return {
        "errors": {
            "status": [REPLACED_STATUSES],
            "service": service,
            "query": f"/{stack}?after={after}",
            "errorRequestHeaders": ["Accept"],
        }
    }


def page_service(url: str, transport: str = "") -> dict[str, Any]:
    """Return the service that has the page."""
    chosen = {"serversTransport": transport} if transport else {}
    return {"loadBalancer": {"servers": [{"url": url}], **chosen}}
