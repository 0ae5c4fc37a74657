"""The sample's settings, with what load tests ask for, and what makes a release bad on purpose."""

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE

ROOT_URLCONF = "config.loadtest.urls"
MIDDLEWARE = ["config.loadtest.faults.FaultMiddleware", *MIDDLEWARE]
