"""Run one management command, such as `python manage.py migrate`."""

import os
import signal
import sys


def main() -> None:
    # A container's first process ignores a signal that nobody handles. Set before Django is loaded,
    # and no exception: one that is raised in the middle of an import or of a loop can get lost.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
