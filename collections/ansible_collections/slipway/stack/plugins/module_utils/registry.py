"""What the registry has: the digest behind each tag, and what is wrong when there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    image_reference,
    services_of,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import (
    Engine,
    EngineError,
    registry_host,
)
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

LOOKUPS = 8  # at the same time
# What the engine and the registries say, in the order in which it is looked for.
CAUSES = (
    (
        r"no such host|server misbehaving|name resolution",
        (
            "the name of the registry {host} does not resolve on the host. Correct "
            "stack_services.{service}.image (stack_registry), or see to the host's DNS."
        ),
    ),
    (
        r"unauthorized|denied|forbidden|no basic auth|authentication required|authorization failed",
        (
            "the registry {host} refuses the login, or hides an image that is not there. Set "
            "docker_registries['{host}'] to a login that may pull it, and provision."
        ),
    ),
    (
        r"manifest unknown|not found|name unknown|no such manifest",
        (
            "the registry {host} has no such tag. Check stack_version ('{version}') and "
            "stack_services.{service}.image, and that the pipeline pushed it."
        ),
    ),
    (
        r"connection refused|timed out|timeout|no route|unreachable|reset by peer|EOF",
        (
            "the registry {host} does not answer. See to it, or to the host's way to it; going "
            "back to a release on the host needs no registry: playbooks/rollback.yml."
        ),
    ),
    (
        r"x509|tls:|certificate|HTTP response to HTTPS client",
        (
            "the host does not trust the registry {host}. Give the registry a certificate that the "
            "host trusts, or name it in docker_daemon_options.insecure-registries, and provision."
        ),
    ),
)


class ImagesUnavailable(ReleaseError):  # noqa: N818 - the name says it
    """Images that cannot be had; `problems` has a text for each."""

    def __init__(self, problems: list[str]) -> None:
        """Keep each problem; as one text they are lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


def resolve_images(
    model: dict[str, Any],
    version: str,
    engine: Engine,
    platform: str,
    digests: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Return each service's image by digest, asking the registries once for each reference.

    `digests`, by repository, stand for what `version` would lead to.
    """
    references = {
        name: pinned_reference(service["image"], version, digests)
        for name, service in sorted(services_of(model).items())
    }
    readers = {reference: name for name, reference in reversed(references.items())}
    with ThreadPoolExecutor(LOOKUPS) as pool:
        asked = {one: pool.submit(engine.resolve, one, platform) for one in sorted(readers)}
    found, problems = {}, []
    for reference, answer in asked.items():
        try:
            found[reference] = answer.result()
        except EngineError as error:
            problems.append(problem(readers[reference], reference, version, str(error)))
    if problems:
        raise ImagesUnavailable(problems)
    return {name: found[reference] for name, reference in references.items()}


def pinned_reference(image: str, version: str, digests: Mapping[str, str]) -> str:
    """Complete a repository with its digest, or with the stack's version where none is given."""
    return f"{image}@{digests[image]}" if image in digests else image_reference(image, version)


def problem(service: str, reference: str, version: str, said: str) -> str:
    """Say which image cannot be had, why, and what to do."""
    for pattern, advice in CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            cause = advice.format(host=registry_host(reference), service=service, version=version)
            return f"Image: that of stack_services.{service} cannot be had: {cause} ({said})"
    return f"Image: that of stack_services.{service} cannot be had: {said}"
