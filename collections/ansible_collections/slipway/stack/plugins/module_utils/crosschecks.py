"""What must fit together in the public variables, one small function for each rule.

Each check reads sound values only and never repeats a problem that is known already.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.acme_checks import ACME_CHECKS
from ansible_collections.slipway.stack.plugins.module_utils.edge_checks import EDGE_CHECKS
from ansible_collections.slipway.stack.plugins.module_utils.problems import Problem, Values, near
from ansible_collections.slipway.stack.plugins.module_utils.recognisers import (
    has_tag,
    parse_network,
)
from ansible_collections.slipway.stack.plugins.module_utils.service_checks import SERVICE_CHECKS


def _aliases(values: Values) -> Iterator[Problem]:
    """Want an alias to be another name than the domain."""
    for index, alias in values.items("stack_domain_aliases"):
        if alias == values.sound.get("stack_domain"):
            path = f"stack_domain_aliases[{index}]"
            yield Problem(path, "is the same as stack_domain", "Take it out of the list.")


def _canary(values: Values) -> Iterator[Problem]:
    """Want each step to reach more visitors than the one before."""
    steps = values.items("stack_canary")
    for (_, before), (index, percent) in itertools.pairwise(steps):
        if percent <= before:
            yield Problem(
                f"stack_canary[{index}]",
                f"is {percent}, and the step before it is {before}",
                "Put the percentages in rising order, each once.",
            )


def _subnets(values: Values) -> Iterator[Problem]:
    """Want networks that do not overlap."""
    texts = {name: values.sound.get(name) for name in ("network_door_subnet", "stack_subnet")}
    for index, pool in values.items("docker_address_pools"):
        base, size = pool.get("base"), pool.get("size")
        texts[f"docker_address_pools[{index}].base"] = base
        network = parse_network(base or "")
        if network is not None and size is not None and size < network.prefixlen:
            yield Problem(
                f"docker_address_pools[{index}].size",
                f"is {size}, and the range {base} is smaller than that",
                f"Give it a number from {network.prefixlen} to 29.",
            )
    networks = {path: parse_network(text or "") for path, text in texts.items()}
    seen: list[tuple[str, Any]] = []
    for path, network in networks.items():
        if network is None:
            continue
        for other_path, other in seen:
            if network.overlaps(other):
                wrong = f"{network} overlaps {other_path}, which is {other}"
                yield Problem(path, wrong, "Take a range that nothing else uses.")
        seen.append((path, network))


def _firewall_backend(values: Values) -> Iterator[Problem]:
    """Refuse an engine whose own filter would drop what comes through the door."""
    if values.mapping("docker_daemon_options").get("firewall-backend", "iptables") != "iptables":
        yield Problem(
            "docker_daemon_options.firewall-backend",
            "is not iptables, and has no chain in which the door is let through",
            "Take it out.",
        )


def _root_login(values: Values) -> Iterator[Problem]:
    """Want nobody to count on root where root cannot log in."""
    if any(topic == "ssh" for _, topic in values.items("host_hardening_except")):
        return
    wrong = "is root, whom the hardened SSH server does not let in"
    if values.sound.get("host_deploy_user") == "root":
        cure = "Name another account, or add ssh to host_hardening_except."
        yield Problem("host_deploy_user", wrong, cure)
    for index, user in values.items("host_ssh_users"):
        if user == "root":
            yield Problem(f"host_ssh_users[{index}]", wrong, "Take it out of the list.")


def _database_password(values: Values) -> Iterator[Problem]:
    """Want a password wherever Postgres runs."""
    name = "data_postgres_password"
    if values.sound.get("data_postgres") is True and values.sound.get(name) == "":
        yield Problem(
            name,
            "is missing, and data_postgres is true",
            "Set it in the inventory's vault.yml, or data_postgres to false.",
        )


def _database_login(values: Values) -> Iterator[Problem]:
    """Want one of the two logins that take turns, and an application that is told of the second.

    One that goes on as the first would be locked out when a rotation closes that.
    """
    name, user = "data_postgres_login", values.sound.get("data_postgres_user")
    login = values.sound.get(name)
    if user and login and login not in {user, f"{user}_b"}:
        wrong = f"{login} is none of the two logins of data_postgres_user"
        yield Problem(name, wrong, f"Take {user} or {user}_b.")
    elif user and login and login != user and not _is_told(values, login):
        wrong = (
            f"is {login}, and no secret or environment variable of the stack has that name in it"
        )
        cure = (
            "Have the application read its user's name from a secret that is data_postgres_login: "
            "docs/operations.md, 'The database's password', says how."
        )
        yield Problem(name, wrong, cure)


def _is_told(values: Values, login: str) -> bool:
    """Tell whether a container may know the login; what is not sound may be what tells it."""
    names = ("stack_secrets", "stack_environment", "stack_services")
    if any(name not in values.sound or values.broken(name) for name in names):
        return True
    secrets, environment, services = (values.sound[name] for name in names)
    own = [service.get("environment", {}) for service in services.values()]
    texts = itertools.chain.from_iterable(one.values() for one in (secrets, environment, *own))
    return any(login in text for text in texts)


def _certificate(values: Values) -> Iterator[Problem]:
    """Want both a certificate and its key, made for each other, or none."""
    names = ("traefik_certificate", "traefik_certificate_key")
    if any(name not in values.sound for name in names):
        return
    certificate, key = (values.sound[name] for name in names)
    if not certificate and not key:
        return
    if not certificate or not key:
        given, lacking = names if certificate else names[::-1]
        yield Problem(lacking, f"is empty, and {given} is not", "Give both or none.")
        return
    yield from _certificate_pair(certificate, key)


def _certificate_pair(certificate: str, key: str) -> Iterator[Problem]:
    # Costs a tenth of a second, which deploys without a certificate of their own need not pay.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    public = None
    private = None
    try:
        public = x509.load_pem_x509_certificates(certificate.encode())[0].public_key()
    except ValueError:
        wrong, cure = "cannot be read as certificates", "Give the whole file as it was issued."
        yield Problem("traefik_certificate", wrong, cure)
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError):
        wrong, cure = (
            "cannot be read as a private key",
            "Give the whole file, without a passphrase.",
        )
        yield Problem("traefik_certificate_key", wrong, cure)
    if public is not None and private is not None and public != private:
        cure = "Give the key that the certificate, the first one of the chain, was issued for."
        yield Problem("traefik_certificate_key", "does not belong to traefik_certificate", cure)


def _digests(values: Values) -> Iterator[Problem]:
    """Want a digest for each image whose version is open, where any is given."""
    digests = values.mapping("stack_digests")
    missing: set[str] = set()
    for name, service in values.services.items():
        image = service.get("image")
        if digests and image and not has_tag(image) and image not in {*digests, *missing}:
            missing.add(image)
            yield Problem(
                "stack_digests",
                f"lacks {image}, the image of stack_services.{name}",
                f"Have the pipeline build it, or correct the name.{near(image, list(digests))}",
            )


def _verify_keys(values: Values) -> Iterator[Problem]:
    """Want keys that can be read: a broken one would refuse every image."""
    if not (keys := values.items("stack_verify_keys")):
        return
    # As slow to load as for a certificate, above.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    for index, key in keys:
        try:
            serialization.load_pem_public_key(key.encode())
        except ValueError:
            path = f"stack_verify_keys[{index}]"
            cure = "Give the whole file cosign.pub, as cosign wrote it."
            yield Problem(path, "cannot be read as a public key", cure)


CROSS_CHECKS = (
    *SERVICE_CHECKS,
    *EDGE_CHECKS,
    *ACME_CHECKS,
    _aliases,
    _canary,
    _subnets,
    _firewall_backend,
    _root_login,
    _database_password,
    _database_login,
    _certificate,
    _digests,
    _verify_keys,
)
