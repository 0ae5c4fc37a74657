"""The shipped settings while one works on them: error pages, plain HTTP, all files from Django."""

from development.environment import fill_in

fill_in()

from config.settings import *  # noqa: E402, F403

DEBUG = True
INSTALLED_APPS += ["development"]  # noqa: F405

SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
