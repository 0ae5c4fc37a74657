#!/usr/bin/python3
"""Do what the official image does before Nginx starts: fill templates, run the user's scripts."""

import os
import re
import subprocess
import sys
from pathlib import Path

TEMPLATES = Path(os.environ.get("NGINX_ENVSUBST_TEMPLATE_DIR", "/etc/nginx/templates"))
TARGET = Path(os.environ.get("NGINX_ENVSUBST_OUTPUT_DIR", "/etc/nginx/conf.d"))


def substitute(text: str, values: dict[str, str]) -> str:
    """Replace $NAME and ${NAME} where NAME is defined; Nginx's own variables stay."""
    return re.sub(
        r"\$(?:\{(\w+)\}|(\w+))",
        lambda match: values.get(match[1] or match[2], match[0]),
        text,
    )


def main(command: list[str]) -> None:
    """Prepare when the command is Nginx itself, then become the command."""
    if Path(command[0]).name in ("nginx", "nginx-debug"):
        for template in sorted(TEMPLATES.rglob("*.template")):
            target = TARGET / template.relative_to(TEMPLATES).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(substitute(template.read_text(), dict(os.environ)))
        for script in sorted(Path("/docker-entrypoint.d").glob("*.sh")):
            subprocess.run([script], check=True)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
