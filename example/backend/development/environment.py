"""What the settings want from the environment, where nobody has said it."""

import os

LOCAL = {
    "DATABASE_HOST": "127.0.0.1",
    "DATABASE_NAME": "app",
    "DATABASE_USER": "app",
    "DATABASE_PASSWORD": "app",
    "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "DJANGO_SECRET_KEY": "development-only-" + "0123456789abcdef" * 4,
    # Nobody waits long for a worker to end its jobs when the code has changed.
    "SLIPWAY_STOP_SECONDS": "5",
}


def fill_in() -> None:
    """Set what is unset, before the shipped settings are imported."""
    for name, value in LOCAL.items():
        os.environ.setdefault(name, value)
