"""A release that turns bad on purpose, as BENCH_FAULT says:

    errors:<after>:<percent>   that share of the answers is a 500
    slow:<after>:<seconds>     every answer takes that much longer
    crash:<after>              the process ends
    unhealthy-never            the readiness probe never answers 200
    500-while-healthy          every answer is a 500, and the probes say all is well

`after` is in seconds, and counts from the first request that a visitor sent, so that a release
turns bad so long after the switch; before any visitor's, from the first of the deploy's own
(they carry X-Slipway-Probe). Health probes do not count, and stay healthy except where said; nor
does what the application asks itself to warm up, which did not come through the proxy.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from django.http import HttpRequest, HttpResponse

HEALTH = ("/readyz", "/healthz")
# Shared by the workers of a container, and gone with it: /tmp is in memory.
FIRST = Path("/tmp/loadtest")  # noqa: S108
Next = Callable[[HttpRequest], HttpResponse]


class FaultMiddleware:
    """Stands before all others, so that its faults cost the application nothing."""

    def __init__(self, get_response: Next) -> None:
        """Read which fault is wanted; none is the rule."""
        self.get_response = get_response
        self.fault, _, rest = os.environ.get("BENCH_FAULT", "").partition(":")
        given = [float(word) for word in rest.split(":") if word]
        self.after, self.amount = [*given, 0.0, 0.0][:2]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, well or badly."""
        if not self.fault:
            return self.get_response(request)
        if request.path in HEALTH:
            if self.fault == "unhealthy-never":
                return HttpResponse("unhealthy on purpose", status=503)
            return self.get_response(request)
        if "X-Forwarded-For" not in request.headers:
            return self.get_response(request)
        if self.fault == "500-while-healthy" or self._strikes(request):
            return HttpResponse("an error on purpose", status=500)
        return self.get_response(request)

    def _strikes(self, request: HttpRequest) -> bool:
        """Do what the fault does once its time has come; say whether the answer is an error."""
        if since_first(probe="X-Slipway-Probe" in request.headers) < self.after:
            return False
        if self.fault == "slow":
            time.sleep(self.amount)
        if self.fault == "crash":
            os.kill(os.getppid(), signal.SIGQUIT)  # Gunicorn's master: it does not wait for answers
        return self.fault == "errors" and random.random() * 100 < self.amount  # noqa: S311


def since_first(*, probe: bool) -> float:
    """Note that a request came, and return the seconds since the one that counts."""
    visited, probed = FIRST.with_suffix(".visited"), FIRST.with_suffix(".probed")
    noted = probed if probe else visited
    if not noted.exists():
        noted.touch()
    return time.time() - min((visited if visited.exists() else probed).stat().st_mtime, time.time())
