"""What must fit together in how Traefik gets certificates from a CA.

One small function for each rule. Each reads sound values only and never repeats a problem that is
known already.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.slipway.stack.plugins.module_utils.credentials import FILE_SUFFIX
from ansible_collections.slipway.stack.plugins.module_utils.issuing import WILDCARD, covers
from ansible_collections.slipway.stack.plugins.module_utils.problems import Problem, Values

# It has a person at a terminal make the record.
BY_HAND = "manual"


def _authority(values: Values) -> Iterator[Problem]:
    """Want an account's address for a CA, one CA, and a challenge that reaches the host."""
    sound = values.sound
    if sound.get("traefik_acme_challenge") == "tls" and sound.get("edge_cdn"):
        yield Problem(
            "traefik_acme_challenge",
            "is tls, and TLS ends at the CDN that edge_cdn names",
            "Set it to http or dns, or give the stack a traefik_certificate of its own.",
        )
    if sound.get("traefik_acme_challenge") and sound.get("traefik_acme_email") == "":
        yield Problem(
            "traefik_acme_email",
            "is missing, and traefik_acme_challenge is set",
            "Give an address that somebody reads, or leave traefik_acme_challenge empty.",
        )
    if sound.get("traefik_acme_server") and sound.get("traefik_acme_staging") is True:
        yield Problem(
            "traefik_acme_staging",
            "is true, and traefik_acme_server names another CA",
            "Set one of the two: the staging switch is Let's Encrypt's.",
        )


def _provider(values: Values) -> Iterator[Problem]:
    """Want a DNS provider that a program can ask, and what to ask it with."""
    if values.sound.get("traefik_acme_challenge") != "dns":
        return
    provider = values.sound.get("traefik_acme_dns_provider")
    if provider == "":
        yield Problem(
            "traefik_acme_dns_provider",
            "is missing, and traefik_acme_challenge is dns",
            "Name who has the domain's zone as Traefik's list of providers does: cloudflare.",
        )
    elif provider == BY_HAND:
        yield Problem(
            "traefik_acme_dns_provider",
            "is manual, which waits for a person to make the record",
            "Name a provider that has an API, or point _acme-challenge at one by a CNAME.",
        )
    if values.sound.get("traefik_acme_dns_environment") == {} and not values.broken(
        "traefik_acme_dns_environment"
    ):
        yield Problem(
            "traefik_acme_dns_environment",
            "is empty, and traefik_acme_challenge is dns",
            "Give the variables that Traefik's list names for the provider: CF_DNS_API_TOKEN.",
        )


def _files(values: Values) -> Iterator[Problem]:
    """Want each variable of the provider once: lego reads it, or the file named beside it."""
    given = values.mapping("traefik_acme_dns_environment")
    for name in given:
        plain = name.removesuffix(FILE_SUFFIX)
        if plain != name and plain in given:
            yield Problem(
                f"traefik_acme_dns_environment.{name}",
                f"is the same variable as {plain}",
                "Take one of them out, the provider gets a file either way.",
            )


def _domains(values: Values) -> Iterator[Problem]:
    """Want names that the challenge can prove, each in one certificate."""
    challenge = values.sound.get("traefik_acme_challenge")
    domains = values.items("traefik_acme_domains")
    if challenge == "" and domains:
        wrong = "is given, and traefik_acme_challenge is empty"
        yield Problem("traefik_acme_domains", wrong, "Set the challenge, or take the list out.")
        return
    names = {
        path: name
        for index, one in domains
        for path, name in (
            (f"traefik_acme_domains[{index}].main", one.get("main")),
            *(
                (f"traefik_acme_domains[{index}].sans[{number}]", san)
                for number, san in enumerate(one.get("sans", []))
            ),
        )
        if name is not None
    }
    seen: set[str] = set()
    for path, name in names.items():
        wider = next((one for one in names.values() if one != name and covers(one, name)), None)
        if name.startswith(WILDCARD) and challenge in ("http", "tls"):
            yield Problem(
                path,
                f"{name} is a wildcard, which no CA gives by traefik_acme_challenge {challenge}",
                "Set traefik_acme_challenge to dns, or name each domain.",
            )
        elif wider:
            yield Problem(path, f"{name} is covered by {wider}", "Take it out.")
        elif name in seen and not values.broken(path):
            yield Problem(path, f"{name} is in another certificate too", "Take one of them out.")
        seen.add(name)


ACME_CHECKS = (_authority, _provider, _files, _domains)
