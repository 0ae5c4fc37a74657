"""Bad input is refused by the first task, by name, before anything changes.

Every public variable is tried in tests/unit/validation; here the shipped command says it.
"""

from __future__ import annotations

from typing import Any

import pytest
from bench.playbooks import Environment

BAD = {
    "stack_domain": "not a domain",
    "stack_version": "with space",
    "stack_subnet": "10.213.4.0/24",
    "stack_name": None,
    "stack_drain_timeout": "30",
    "stack_services.backend.port": {"backend": {"image": "x/y", "port": 99999}},
    "stack_secrets.django_secret_key": {"django_secret_key": "", "database_password": "x"},
    "data_postgres_image": "Not An Image",
    "stack_domian": "yourdomain.com",
}


@pytest.mark.parametrize("path", BAD)
def test_bad_value_is_refused_by_name_before_anything_changes(
    path: str, production: Environment
) -> None:
    variable = path.split(".", maxsplit=1)[0]
    values: dict[str, Any] = {variable: BAD[path]}
    run = production.playbook("deploy.yml", **values)
    assert not run.ok
    assert run.changed == 0
    assert "ok=0" in run.output, "the first task refused it"
    assert path in run.output
    assert "Nothing has been changed" in run.output
