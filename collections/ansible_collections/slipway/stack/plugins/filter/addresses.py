"""Filters over ``module_utils.addresses``: the same functions, with plain dicts for playbooks."""

from __future__ import annotations

from dataclasses import asdict
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.stack.plugins.module_utils import addresses, slots, sources
from ansible_collections.slipway.stack.plugins.module_utils.release import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DOCUMENTATION = """
name: addresses
short_description: Networks and fixed addresses of a host and its stacks
description: See C(module_utils/addresses.py), which holds the arithmetic.
"""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _for_operators(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn errors whose text is meant for the operator into Ansible's own."""

    @wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except (ValueError, ReleaseError) as error:
            raise AnsibleFilterError(str(error)) from error

    return wrapper


def stack_networks(stack: str, subnet: str) -> dict[str, dict[str, Any]]:
    """Return the networks of a stack by kind, as plain dicts."""
    found = addresses.stack_networks(str(stack), str(subnet))
    return {kind: asdict(network) for kind, network in found.items()}


def door_network(subnet: str, subnet_v6: str = "") -> dict[str, Any]:
    """Return the host's door network as a plain dict."""
    return asdict(addresses.door_network(str(subnet), str(subnet_v6)))


def network_problems(
    wanted: Mapping[str, Sequence[Mapping[str, Any]]],
    existing: Iterable[Mapping[str, Any]],
    routes: Iterable[Mapping[str, Any]],
) -> list[str]:
    """Say which of the networks, given by variable as plain dicts, cannot be made."""
    typed = {
        variable: [addresses.StackNetwork(**network) for network in networks]
        for variable, networks in wanted.items()
    }
    return addresses.network_problems(typed, existing, routes)


class FilterModule:
    """The filters by their names in playbooks."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters, to be used as ``slipway.stack.<name>``."""
        functions: list[Callable[..., Any]] = [
            stack_networks,
            door_network,
            network_problems,
            addresses.page_address,
            addresses.bridge_name,
            addresses.slot_address,
            addresses.door_addresses,
            addresses.advertised_devices,
            slots.record_for,
            addresses.postgres_address,
            addresses.bank_addresses,
            addresses.edge_attachments,
            sources.nft_sources,
            sources.shut_out,
        ]
        return {function.__name__: _for_operators(function) for function in functions}
