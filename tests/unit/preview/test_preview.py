"""A preview's variables: derived from its stack's, own where they must be, the same at each run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.slipway.stack.plugins.module_utils.preview import (
    covers,
    own_secrets,
    preview_refusals,
    preview_variables,
    request_problem,
    slug,
    stack_name,
    unfit,
)
from ansible_collections.slipway.stack.plugins.module_utils.recognisers import (
    is_domain,
    is_stack_name,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

BRANCH = "feature/search"
PASSWORD = "the password of staging's database"
BRANCHES = st.from_regex(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\{]{1,80}", fullmatch=True)


def stack(**changes: Any) -> dict[str, Any]:
    """Describe staging, as the role hands it on."""
    return {
        "stack_name": "staging",
        "stack_domain": "staging.example.com",
        "stack_domain_aliases": ["beta.example.com"],
        "stack_domain_redirects": ["www.staging.example.com"],
        "stack_staff_token": "a-token-of-the-staff-of-staging",
        "stack_notify_slack_url": "https://hooks.example.com/x",
        "stack_notify_webhook_url": "",
        "stack_hooks": {"before": ["hooks/before.yml"], "after": []},
        "stack_secrets": {"key": "a key", "database_password": PASSWORD},
        "stack_services": {
            "backend": {"image": "shop/backend", "memory": "1g", "cpus": 2.0, "replicas": 3},
            "frontend": {"image": "shop/frontend"},
        },
        "stack_sizes": {"frontend": {"replicas": 2, "memory": "64m"}},
        "stack_commands": [{"name": "migrate", "service": "backend", "command": ["migrate"]}],
        "stack_canary": [5, 100],
        "stack_soak_seconds": 30,
        "stack_keep_releases": 5,
        "stack_noindex": True,
        "stack_basic_auth": {"team": "$2y$05$hash"},
        "stack_allowed_addresses": [],
        "data_postgres_user": "app",
        "data_postgres_login": "",
        "data_postgres_password": PASSWORD,
        "data_postgres_memory": "1g",
        "data_postgres_cpus": 1.0,
        "traefik_certificate": "",
        "preview_domain": "",
        "preview_cpus": 0.5,
        "preview_memory": "512m",
        "preview_seed": [{"name": "seed", "service": "backend", "command": ["seed"]}],
        "preview_secrets": {},
        **changes,
    }


def derived(base: dict[str, Any], branch: str = BRANCH) -> dict[str, Any]:
    """Return the variables as a role reads them once they are derived."""
    return base | preview_variables(base, branch)


def refusals(now: dict[str, Any], base: dict[str, Any]) -> list[str]:
    return preview_refusals(now, base, preview_variables(base, BRANCH))


# names ------------------------------------------------------------------------------------------


def test_a_name_is_words_of_the_branch_and_a_hash() -> None:
    assert stack_name("staging", BRANCH) == "p-feature-sea-04cdd8"
    assert preview_variables(stack(), BRANCH)["stack_domain"] == (
        "feature-sea-04cdd8.preview.staging.example.com"
    )


@given(BRANCHES)
def test_whatever_a_branch_is_called_its_preview_can_be_a_stack(branch: str) -> None:
    assert not request_problem(branch, "present")
    assert is_stack_name(stack_name("staging", branch))
    assert is_domain(f"{slug('staging', branch)}.preview.example.com")


@pytest.mark.parametrize("other", ["feature-search", "feature/Search", "feature/search2"])
def test_branches_that_read_alike_have_previews_of_their_own(other: str) -> None:
    assert slug("staging", other) != slug("staging", BRANCH)


def test_the_same_branch_of_another_stack_has_a_preview_of_its_own() -> None:
    assert slug("qa", BRANCH) != slug("staging", BRANCH)


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a\nb", "a~1", "x" * 201, "{{x}}"])
def test_what_can_be_no_branch_is_refused(branch: str) -> None:
    assert "is no branch of git" in request_problem(branch, "present")


def test_a_state_that_is_not_known_is_refused() -> None:
    assert "say -e state=absent" in request_problem(BRANCH, "absnt")


def test_previews_answer_below_the_domain_that_is_named() -> None:
    found = preview_variables(stack(preview_domain="pr.example.org"), BRANCH)
    assert found["stack_domain"] == "feature-sea-04cdd8.pr.example.org"


# what is its own --------------------------------------------------------------------------------


def test_what_is_the_stacks_alone_is_not_the_previews() -> None:
    found = preview_variables(stack(), BRANCH)
    empty = {"stack_domain_aliases", "stack_domain_redirects", "stack_staff_token"}
    empty |= {"stack_notify_slack_url", "stack_notify_webhook_url", "stack_canary"}
    assert not any(found[name] for name in empty)
    assert found["stack_hooks"] == {"before": [], "after": []}


def test_a_preview_is_small() -> None:
    found = preview_variables(stack(), BRANCH)
    assert found["stack_sizes"] == {
        "backend": {"replicas": 1, "memory": "512m", "cpus": 0.5},
        "frontend": {"replicas": 1, "memory": "64m", "cpus": 0.5},
    }
    assert (found["data_postgres_memory"], found["data_postgres_cpus"]) == ("512m", 0.5)


def test_a_seed_runs_after_the_stacks_own_commands() -> None:
    commands = preview_variables(stack(), BRANCH)["stack_commands"]
    assert [one["name"] for one in commands] == ["migrate", "seed"]


# secrets ----------------------------------------------------------------------------------------


def test_each_secret_is_drawn_anew_and_the_databases_password_stays_one() -> None:
    secrets, password = own_secrets(stack(), BRANCH)
    assert secrets["database_password"] == password
    assert len({*secrets.values(), "a key", PASSWORD}) == 4


def test_a_second_run_draws_the_same_secrets() -> None:
    assert own_secrets(stack(), BRANCH) == own_secrets(stack(), BRANCH)


def test_the_database_s_password_changes_with_the_stack_s_alone_as_its_login_does() -> None:
    before = own_secrets(stack(), BRANCH)[1]
    assert own_secrets(stack(stack_secrets={"key": "another"}), BRANCH)[1] == before
    assert own_secrets(stack(data_postgres_password="battery-staple"), BRANCH)[1] != before


def test_the_name_of_the_login_stays_what_it_is() -> None:
    for login in ("", "app_b"):
        base = stack(
            data_postgres_login=login, stack_secrets={"database_user": login or "app", "key": "k"}
        )
        secrets, _ = own_secrets(base, BRANCH)
        assert secrets["database_user"] == (login or "app")


def test_each_branch_has_secrets_of_its_own() -> None:
    here, there = (preview_variables(stack(), one)["stack_secrets"] for one in ("a", "b"))
    assert not {*here.values()} & {*there.values()}


def test_an_address_of_the_database_keeps_its_form() -> None:
    secrets, password = own_secrets(
        stack(stack_secrets={"url": f"postgres://app:{PASSWORD}@postgres/app"}), BRANCH
    )
    assert secrets["url"] == f"postgres://app:{password}@postgres/app"


def test_a_short_password_is_not_looked_for_in_other_secrets() -> None:
    base = stack(data_postgres_password="key", stack_secrets={"a": "monkey"})
    secrets, _ = own_secrets(base, BRANCH)
    assert "mon" not in secrets["a"]
    assert len(secrets["a"]) == 64


def test_a_weak_secret_is_not_told_by_what_is_drawn_from_it() -> None:
    here, there = (
        own_secrets(stack(stack_secrets={"weak": "1234", "strong": strong}), BRANCH)[0]["weak"]
        for strong in ("one", "another")
    )
    assert here != there


def test_a_secret_that_is_given_for_previews_wins() -> None:
    secrets, _ = own_secrets(stack(preview_secrets={"key": "of the sandbox"}), BRANCH)
    assert secrets["key"] == "of the sandbox"


def test_without_a_database_there_is_no_password() -> None:
    assert (
        preview_variables(stack(data_postgres_password=""), BRANCH)["data_postgres_password"] == ""
    )


# what is refused --------------------------------------------------------------------------------


def test_a_protected_stack_has_previews() -> None:
    assert unfit(stack()) == []
    assert unfit(stack(stack_basic_auth={}, stack_allowed_addresses=["192.0.2.1"])) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [({"stack_noindex": False}, "search engines"), ({"stack_basic_auth": {}}, "everybody")],
)
def test_a_stack_that_is_open_to_the_public_has_none(change: dict[str, Any], word: str) -> None:
    found = " ".join(unfit(stack(**change)))
    assert word in found
    assert "take the inventory of staging" in found


def test_what_was_derived_is_taken() -> None:
    assert refusals(derived(stack()), stack()) == []


@pytest.mark.parametrize("name", ["stack_name", "stack_domain", "data_postgres_password"])
def test_a_variable_that_is_given_for_the_run_is_refused(name: str) -> None:
    (problem,) = refusals(derived(stack()) | {name: "staging"}, stack())
    assert problem.startswith(f"{name} is given on the command line")
    assert "staging" not in problem


@pytest.mark.parametrize("domain", ["api.staging.example.com", "staging.example.com"])
def test_a_service_must_not_answer_to_the_stacks_own_names(domain: str) -> None:
    base = stack(stack_services={"api": {"image": "x", "domains": [domain]}})
    (problem,) = refusals(derived(base), base)
    assert problem.startswith(domain)
    assert 'such as "api.{{ stack_domain }}"' in problem


# certificates -----------------------------------------------------------------------------------


def certificate(*names: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "staging.example.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=90))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_a_wildcard_certificate_is_for_every_preview() -> None:
    base = stack(traefik_certificate=certificate("*.preview.staging.example.com"))
    assert refusals(derived(base), base) == []


@pytest.mark.parametrize("names", [(), ("staging.example.com", "*.staging.example.com")])
def test_a_certificate_that_is_not_for_the_preview_is_refused_with_the_cure(
    names: tuple[str, ...],
) -> None:
    base = stack(traefik_certificate=certificate(*names))
    (problem,) = refusals(derived(base), base)
    assert "not for feature-sea-04cdd8.preview.staging.example.com" in problem
    assert "issued for *.preview.staging.example.com too" in problem


def test_a_certificate_must_be_for_the_names_of_services_too() -> None:
    base = stack(traefik_certificate=certificate("*.preview.staging.example.com"))
    now = derived(base)
    now["stack_services"] = {"api": {"domains": [f"api.{now['stack_domain']}"]}}
    (problem,) = refusals(now, base)
    assert f"not for api.{now['stack_domain']}" in problem


@pytest.mark.parametrize(
    ("name", "domain", "good"),
    [
        ("a.example.com", "a.example.com", True),
        ("*.Example.com", "a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("b.example.com", "a.example.com", False),
    ],
)
def test_a_star_is_one_label(name: str, domain: str, good: bool) -> None:  # noqa: FBT001
    assert covers(name, domain) is good
