"""What a preview is: an ordinary stack, whose variables are derived from those of another stack.

Everything here is pure and runs on the controller.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import SERVICE_DEFAULTS
from ansible_collections.slipway.stack.plugins.module_utils.memory import size

# A stack's name has 20 characters: the prefix, words of the branch, a dash, a hash.
PREFIX = "p-"
WORDS = 11
HASH = 6
# What git itself refuses in the name of a branch, see git-check-ref-format(1), a length, and `{`:
# Ansible runs what stands in a template wherever a variable holds one.
BRANCH = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\{]{1,200}")
# A shorter password may stand in a text by chance.
SHORTEST_PASSWORD = 8

STATES = ("present", "absent")
SOAK_SECONDS = 5
KEEP_RELEASES = 2


def request_problem(branch: str, state: str) -> str:
    """Say what is wrong with what is asked for, or nothing."""
    if state not in STATES:
        return f"state is {json.dumps(state)}: say -e state=absent, or leave it out."
    if not BRANCH.fullmatch(branch):
        return (
            f"branch is {json.dumps(branch)}, which is no branch of git, has more than 200 "
            f"characters or a {{, which Ansible would read as a template. Say "
            f"-e branch=feature/search. Nothing was changed."
        )
    return ""


def slug(stack: str, branch: str) -> str:
    """Return the short name of a branch's preview, which is good as a DNS label.

    Words of the branch make it readable, the hash makes it the branch's own.
    """
    words = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")[:WORDS].rstrip("-")
    digest = hashlib.sha256(f"{stack}\0{branch}".encode()).hexdigest()[:HASH]
    return f"{words}-{digest}" if words else digest


def stack_name(stack: str, branch: str) -> str:
    """Return the name that the preview of a stack's branch has as a stack of its own."""
    return f"{PREFIX}{slug(stack, branch)}"


def preview_variables(base: Mapping[str, Any], branch: str) -> dict[str, Any]:
    """Return the variables in which the preview of a branch differs from its stack, but its subnet.

    `base` has the variables of the stack and of previews, see `roles/preview/vars/main.yml`.
    """
    parent = base["preview_domain"] or f"preview.{base['stack_domain']}"
    secrets, password = own_secrets(base, branch)
    return {
        "stack_name": stack_name(base["stack_name"], branch),
        "stack_domain": f"{slug(base['stack_name'], branch)}.{parent}",
        # Other names are the stack's alone, and so is what it tells people of itself.
        "stack_domain_aliases": [],
        "stack_domain_redirects": [],
        "stack_staff_token": "",
        "stack_notify_slack_url": "",
        "stack_notify_webhook_url": "",
        "stack_hooks": {"before": [], "after": []},
        "stack_secrets": secrets,
        "stack_sizes": sizes(base),
        "stack_commands": [*base["stack_commands"], *base["preview_seed"]],
        "stack_canary": [],
        "stack_soak_seconds": min(base["stack_soak_seconds"], SOAK_SECONDS),
        "stack_keep_releases": min(base["stack_keep_releases"], KEEP_RELEASES),
        "data_postgres_password": password,
        "data_postgres_memory": smaller(base["data_postgres_memory"], base["preview_memory"]),
        "data_postgres_cpus": min(base["data_postgres_cpus"], base["preview_cpus"]),
    }


def unfit(base: Mapping[str, Any]) -> list[str]:
    """Say why a stack can have no previews: what is open to the public shows no unfinished work."""
    problems = []
    if not base["stack_noindex"]:
        problems.append(
            f"The stack '{base['stack_name']}' is open to search engines (stack_noindex is false)."
        )
    if not base["stack_basic_auth"] and not base["stack_allowed_addresses"]:
        problems.append(
            f"The stack '{base['stack_name']}' is open to everybody (stack_basic_auth and "
            f"stack_allowed_addresses are empty)."
        )
    if problems:
        problems.append(
            "Previews are as well protected as the stack that they are derived from: take the "
            "inventory of staging, or protect this one."
        )
    return problems


def own_secrets(base: Mapping[str, Any], branch: str) -> tuple[dict[str, str], str]:
    """Draw a preview's secrets and its database's password; the same ones at each run.

    Each is a keyed hash of the stack's own, so that equal ones stay equal and nothing leads back.
    The key is all of them together: a weak one cannot be guessed from what the preview has. But the
    password changes when the stack's does, and its login with it: Postgres takes one that way only.
    A secret that holds the password, such as an address, keeps its form, and so does the login.
    """
    secrets, password = base["stack_secrets"], base["data_postgres_password"]
    login = base["data_postgres_login"] or base["data_postgres_user"]

    def drawn(value: str, *key: Any) -> str:
        whole = json.dumps([base["stack_name"], branch, *key], sort_keys=True).encode()
        return hmac.new(whole, value.encode(), hashlib.sha256).hexdigest()

    own = drawn(password, password) if password else ""

    def replaced(value: str) -> str:
        if value == login:
            return value
        if value == password or (len(password) >= SHORTEST_PASSWORD and password in value):
            return str(value.replace(password, own))
        return drawn(value, secrets, password)

    found = {name: replaced(value) for name, value in secrets.items()}
    return found | base["preview_secrets"], own


def sizes(base: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each service one container, of the stack's size up to the bounds of a preview."""
    return {
        name: {
            "replicas": 1,
            "memory": smaller(one["memory"], base["preview_memory"]),
            "cpus": min(one["cpus"], base["preview_cpus"]),
        }
        for name, service in base["stack_services"].items()
        for one in [{**SERVICE_DEFAULTS, **service, **base["stack_sizes"].get(name, {})}]
    }


def smaller(one: str, other: str) -> str:
    """Return the smaller one of two amounts of memory, in Docker's words."""
    return min(one, other, key=size)


def preview_refusals(
    now: Mapping[str, Any], before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> list[str]:
    """Say why the variables as they are now make no preview; empty when they do.

    `before` has the stack's own variables, `wanted` what was derived from them, `now` what a role
    would read. They differ where somebody set a variable for this run alone.
    """
    fixed = [name for name, value in wanted.items() if now[name] != value]
    problems = [
        f"{name} is given on the command line, and a preview has a value of its own: leave it out."
        for name in fixed
    ]
    shared = sorted({*service_domains(now)} & {*service_domains(before), before["stack_domain"]})
    problems += [
        f"{domain} is in `domains` of a service and would be the preview's as well. Derive it from "
        f'the stack\'s domain, such as "api.{{{{ stack_domain }}}}".'
        for domain in shared
    ]
    if now["traefik_certificate"] and not fixed:
        problems += uncovered(now)
    return problems


def service_domains(variables: Mapping[str, Any]) -> list[str]:
    """List the names that services answer to beside the stack's."""
    services = variables["stack_services"].values()
    return [domain for service in services for domain in service.get("domains", [])]


def uncovered(now: Mapping[str, Any]) -> list[str]:
    """Say which of the preview's names the stack's own certificate is not for."""
    covered = certificate_names(now["traefik_certificate"])
    parent = now["stack_domain"].partition(".")[2]
    return [
        f"traefik_certificate is for {', '.join(covered) or 'no name'}, not for {domain}. Have it "
        f"issued for *.{parent} too, or set traefik_acme_challenge and leave traefik_certificate "
        f"empty, so that each preview gets a certificate by itself."
        for domain in dict.fromkeys([now["stack_domain"], *service_domains(now)])
        if not any(covers(name, domain) for name in covered)
    ]


def certificate_names(certificate: str) -> list[str]:
    """List the DNS names that a certificate, the first one of a chain in PEM, is for."""
    # As slow to load as in crosschecks.py.
    from cryptography import x509  # noqa: PLC0415

    first = x509.load_pem_x509_certificates(certificate.encode())[0]
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)


def covers(name: str, domain: str) -> bool:
    """Tell whether a certificate's name is good for a domain; `*` is one label (RFC 9525, 6.3)."""
    if name.startswith("*."):
        return domain.partition(".")[2] == name[2:].lower()
    return domain == name.lower()
