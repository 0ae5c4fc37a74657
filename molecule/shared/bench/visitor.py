"""A visitor of a test host: knows its domains and trusts the bench's authority."""

from __future__ import annotations

from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from bench.ca import AUTHORITY

ANSWER_SECONDS: Final = 15
POOL: Final = 64  # connections kept for a load that asks side by side


class _Adapter(HTTPAdapter):
    """Connects to an address, and asks for the domain's certificate."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        super().__init__(pool_maxsize=POOL)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make a pool whose connections mean the domain."""
        options |= {"server_hostname": self.domain, "assert_hostname": self.domain}
        super().init_poolmanager(*args, **options)


class Visitor:
    """One browser's worth of cookies and connections; redirects are answers, too."""

    def __init__(self, domain: str, port: int, address: str = "127.0.0.1") -> None:
        """Aim at the domain by way of a port, of this machine if no other is named."""
        self.base = f"https://{address}:{port}"
        self.session = requests.Session()
        self.session.verify = str(AUTHORITY)
        self.session.trust_env = False
        self.session.headers.update({"Host": domain, "Origin": f"https://{domain}"})
        self.session.mount("https://", _Adapter(domain))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask for a path, with the token that Django wants for a write."""
        token = self.session.cookies.get("csrftoken")
        headers = {"X-CSRFToken": token} if token else {}
        headers |= options.pop("headers", {})
        return self.session.request(
            method,
            self.base + path,
            headers=headers,
            allow_redirects=False,
            timeout=ANSWER_SECONDS,
            **options,
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        """Read a path."""
        return self.ask("GET", path, **options)

    def write_note(self, text: str) -> int:
        """Write a note on the first board of the sample application; return the note's id."""
        board = self.get("/api/boards/").json()["boards"][0]["id"]
        answer = self.ask(
            "POST", f"/api/boards/{board}/notes/", json={"text": text, "author": "bench"}
        )
        answer.raise_for_status()
        return int(answer.json()["id"])

    def notes(self) -> list[str]:
        """Read the notes of the first board."""
        board = self.get("/api/boards/").json()["boards"][0]["id"]
        return [note["text"] for note in self.get(f"/api/boards/{board}/notes/").json()["notes"]]
