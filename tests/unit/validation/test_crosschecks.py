"""What must fit together: every rule refuses what breaks it and names the place to change."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.stack.plugins.module_utils.validation import validate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

REPOSITORY = Path(__file__).parents[3]
SPECS = {
    path.parents[1].name: {
        name: entry["options"]
        for name, entry in yaml.safe_load(path.read_text())["argument_specs"].items()
    }
    for path in sorted(REPOSITORY.glob("roles/*/meta/argument_specs.yml"))
}
GOOD: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("good.yml").read_text())

Change = Callable[[dict[str, Any]], Any]
CUT_KEY = GOOD["stack_verify_keys"][0].replace("MFkw", "")


def refusals(change: Change) -> dict[str, str]:
    """Give what is refused after a change of the good values, by path."""
    values = copy.deepcopy(GOOD)
    change(values)
    return {problem.path: str(problem) for problem in validate(SPECS, values)}


def service(name: str = "backend", /, **fields: Any) -> Change:
    return lambda values: values["stack_services"][name].update(fields)


def volume(**fields: Any) -> Change:
    return lambda values: values["stack_volumes"]["static"].update(fields)


def both(one: Change, other: Change) -> Change:
    return lambda values: (one(values), other(values))


def variables(**fields: Any) -> Change:
    return lambda values: values.update(fields)


def without(name: str, field: str) -> Change:
    return lambda values: values["stack_services"][name].pop(field)


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (service(secrets=["django_secret_kex"]), "stack_services.backend.secrets[0]",
         "Did you mean django_secret_key?"),
        (service(volumes={"statik": "/srv/static"}), "stack_services.backend.volumes.statik",
         "Did you mean static?"),
        (without("backend", "uid"), "stack_services.backend.uid", "secrets and volumes"),
        (service("worker", secrets=["django_secret_key"]), "stack_services.worker.uid", "secrets"),
        (variables(stack_commands=[{"name": "a", "service": "bakend", "command": ["a"]}]),
         "stack_commands[0].service", "Did you mean backend?"),
        (variables(stack_commands=[{"name": "a", "service": "backend", "command": ["a"]}] * 2),
         "stack_commands[1].name", "another command"),
        (variables(stack_commands=[{"name": "worker", "service": "backend", "command": ["a"]}]),
         "stack_commands[0].name", "is a service"),
        (variables(stack_sizes={"fronted": {"replicas": 2}}), "stack_sizes.fronted",
         "Did you mean frontend?"),
        (service("frontend", paths=["/", "/api/"]), "stack_services.frontend.paths[1]",
         "answered by backend already"),
        (service(domains=[], paths=["/"]), "stack_services.frontend.paths[0]", "backend"),
        (variables(data_postgres_login="other"), "data_postgres_login", "Take app or app_b."),
        (variables(stack_secrets={"django_secret_key": "app"}), "data_postgres_login",
         "no secret or environment variable of the stack"),
        (variables(host_deploy_user="root"), "host_deploy_user", "host_hardening_except"),
        (variables(host_ssh_users=["ada", "root"]), "host_ssh_users[1]", "does not let in"),
        (service("worker", port=None), "stack_services.worker.port", "is null"),
        (service("worker", paths=["/x"]), "stack_services.worker.paths", "no use without a port"),
        (service("worker", domains=["a.example.com"]), "stack_services.worker.domains", "port"),
        (service("worker", health={"path": "/x"}), "stack_services.worker.health",
         "health.command"),
        (service("worker", probe="/x"), "stack_services.worker.probe", "no use without a port"),
        (service(probe="/apiary"), "stack_services.backend.probe", "below /api or /admin"),
        (service(probe="/"), "stack_services.backend.probe", "below none"),
        (both(service(domains=[]), service("frontend", probe="/api/x")),
         "stack_services.frontend.probe", "/api/x is answered by backend"),
        (service("scheduler", port=80, paths=["/s"]), "stack_services.scheduler.singleton",
         "has a port"),
        (service("scheduler", replicas=2), "stack_services.scheduler.replicas", "a singleton"),
        (variables(stack_sizes={"scheduler": {"replicas": 3}}), "stack_sizes.scheduler.replicas",
         "is 3, and the service is a singleton"),
        (volume(scope="stack"), "stack_volumes.static.from", "scope assets"),
        (volume(**{"from": {"service": "fronted", "path": "/a"}}),
         "stack_volumes.static.from.service", "Did you mean frontend?"),
        (variables(stack_canary=[5, 5, 100]), "stack_canary[1]", "the step before it is 5"),
        (variables(stack_canary=[25, 5]), "stack_canary[1]", "rising order"),
        (service(stop_timeout=29), "stack_services.backend.stop_timeout",
         "shorter than stack_drain_timeout, which is 30"),
        (service(replicas=15), "stack_services.backend.replicas", "17 replicas"),
        (variables(stack_sizes={"frontend": {"replicas": 16}}), "stack_sizes.frontend.replicas",
         "18 replicas"),
        (service(environment={"SLIPWAY_RELEASE": "x"}),
         "stack_services.backend.environment.SLIPWAY_RELEASE", "set by Slipway"),
        (service(environment={"SLIPWAY_STOP_SECONDS": "x"}),
         "stack_services.backend.environment.SLIPWAY_STOP_SECONDS", "set by Slipway"),
        (variables(stack_environment={"SLIPWAY_VERSION": "x"}),
         "stack_environment.SLIPWAY_VERSION", "set by Slipway"),
        (service(environment={"PASSWORD_FILE": "/run/secrets/password"}),
         "stack_services.backend.environment.PASSWORD_FILE", "a secret that the service does not"),
        (service(volumes={"static": "/a", "media": "/a:ro"}),
         "stack_services.backend.volumes.media", "taken by static"),
        (service(tmpfs=["/a"], volumes={"static": "/a"}), "stack_services.backend.volumes.static",
         "tmpfs"),
        (service(volumes={"static": "/run/secrets/x"}), "stack_services.backend.volumes.static",
         "secrets"),
        (variables(stack_domain_aliases=["www.example.com"]), "stack_domain_aliases[0]",
         "same as stack_domain"),
        (variables(stack_domain_aliases=["a.example.com"] * 2), "stack_domain_aliases[1]", "twice"),
        (variables(stack_domain_redirects=["www.example.com"]), "stack_domain_redirects[0]",
         "is in stack_domain too"),
        (variables(stack_domain_redirects=["example.com"]), "stack_domain_redirects[0]",
         "either redirects or answers"),
        (both(variables(stack_domain_redirects=["a.example.com"]),
              service("frontend", domains=["a.example.com"])),
         "stack_domain_redirects[0]", "stack_services.frontend.domains"),
        (variables(stack_security_headers={"content-security-policy": "x"}),
         "stack_security_headers.content-security-policy", "stack_content_security_policy"),
        (variables(stack_security_headers={"X-Slipway-Release": "x"}),
         "stack_security_headers.X-Slipway-Release", "Slipway sets it"),
        (variables(stack_security_headers={"A": "x", "a": "y"}),
         "stack_security_headers.a", "is the same header as A"),
        (both(service("frontend", paths=["/shop"]), variables(stack_max_body={"/shopping": "1m"})),
         "stack_max_body./shopping", "below none"),
        (variables(stack_max_body={"/api": "1m", "/api/": "2m"}), "stack_max_body./api/",
         "is the same path as /api"),
        (variables(edge_cdn=""), "edge_cdn_only", "edge_cdn names nobody"),
        (variables(edge_cdn=[]), "edge_cdn_only", "edge_cdn names nobody"),
        (variables(edge_cdn=["2001:db8::/32"]), "edge_cdn_only", "no IPv4 network"),
        (both(variables(traefik_acme_challenge="tls"), variables(traefik_acme_domains=[])),
         "traefik_acme_challenge", "TLS ends at the CDN"),
        (variables(traefik_acme_email=""), "traefik_acme_email", "somebody reads"),
        (variables(traefik_acme_server="https://ca.example.com/dir"), "traefik_acme_staging",
         "names another CA"),
        (variables(traefik_acme_dns_provider=""), "traefik_acme_dns_provider", "is missing"),
        (variables(traefik_acme_dns_provider="manual"), "traefik_acme_dns_provider", "a person"),
        (variables(traefik_acme_dns_environment={}), "traefik_acme_dns_environment", "is empty"),
        (variables(traefik_acme_dns_environment={"A": "x", "A_FILE": "y"}),
         "traefik_acme_dns_environment.A_FILE", "is the same variable as A"),
        (variables(traefik_acme_challenge="http"), "traefik_acme_domains[0].sans[0]",
         "gives by traefik_acme_challenge http. Set traefik_acme_challenge to dns"),
        (both(variables(traefik_acme_challenge="http"),
              variables(traefik_acme_domains=[{"main": "*.example.com"}])),
         "traefik_acme_domains[0].main", "is a wildcard"),
        (variables(traefik_acme_challenge=""), "traefik_acme_domains",
         "traefik_acme_challenge is empty"),
        (variables(traefik_acme_domains=[{"main": "*.example.com", "sans": ["a.example.com"]}]),
         "traefik_acme_domains[0].sans[0]", "a.example.com is covered by *.example.com"),
        (variables(traefik_acme_domains=[{"main": "a.example.com"}, {"main": "a.example.com"}]),
         "traefik_acme_domains[1].main", "in another certificate too"),
        (variables(traefik_acme_domains=[{"main": "a.example.com", "sans": ["b.example.com"] * 2}]),
         "traefik_acme_domains[0].sans[1]", "in the list twice"),
        (variables(edge_cdn="cloudflair"), "edge_cdn", "is not a CDN that is known by name"),
        (variables(stack_staff_addresses=["192.0.2.0/24", "2001:db8::/32"]),
         "stack_staff_addresses[1]", "stack_staff_token"),
        (variables(traefik_image="registry.example.com:5000/traefik:v3.7.12"), "traefik_image",
         "3.7.13 or newer"),
        (variables(traefik_image=f"traefik:3.6.19@sha256:{'0' * 64}"), "traefik_image", "3.6.19"),
        (variables(stack_subnet="10.213.0.0/22"), "stack_subnet", "overlaps network_door_subnet"),
        (variables(docker_daemon_options={"firewall-backend": "nftables"}),
         "docker_daemon_options.firewall-backend", "the door is let through"),
        (variables(docker_address_pools=[{"base": "10.213.0.0/16", "size": 24}]),
         "docker_address_pools[0].base", "overlaps"),
        (variables(docker_address_pools=[{"base": "10.99.0.0/16", "size": 12}]),
         "docker_address_pools[0].size", "from 16 to 29"),
        (variables(data_postgres_password=""), "data_postgres_password",
         "data_postgres is true"),
        (variables(stack_digests={"registry.example.com:5000/shop/bakend": f"sha256:{0:064}"}),
         "stack_digests", "Did you mean registry.example.com:5000/shop/bakend?"),
        (variables(stack_verify_keys=[CUT_KEY]), "stack_verify_keys[0]", "cannot be read"),
        (variables(traefik_certificate_key="x"), "traefik_certificate_key", "private key"),
    ],
)  # fmt: skip
def test_rules(change: Change, path: str, words: str) -> None:
    found = refusals(change)
    assert set(found) == {path}
    assert words in found[path]


def test_some_service_has_a_port() -> None:
    def change(values: dict[str, Any]) -> None:
        worker = values["stack_services"]["worker"]
        others: dict[str, Any] = {"stack_sizes": {}, "stack_volumes": {}, "stack_commands": []}
        values.update(stack_services={"worker": worker}, **others)

    assert set(refusals(change)) == {"stack_services"}


def test_same_paths_on_other_domains_are_fine() -> None:
    assert not refusals(service("frontend", paths=["/api"], domains=["a.example.com"]))


def test_a_stack_without_our_postgres_needs_no_password() -> None:
    assert not refusals(variables(data_postgres=False, data_postgres_password=""))


@pytest.mark.parametrize("probe", ["/api", "/api/", "/api/x?y=/", "/version?x", "/admin/a/b"])
def test_a_probe_may_be_any_path_of_the_service(probe: str) -> None:
    assert not refusals(service(domains=[], probe=probe))


def test_on_domains_of_its_own_a_service_answers_what_another_does_elsewhere() -> None:
    elsewhere = service(domains=["api.example.com"])
    assert not refusals(both(elsewhere, service("frontend", probe="/api/x")))


def test_assets_may_be_mounted_for_writing_by_a_running_service() -> None:
    assert not refusals(service(volumes={"static": "/srv/static"}))
    assert not refusals(lambda values: values["stack_volumes"]["static"].pop("from"))


@pytest.mark.parametrize(
    "domains",
    [
        [{"main": "example.com"}, {"main": "*.example.com"}, {"main": "*.a.example.com"}],
        [{"main": "a.b.example.com", "sans": ["*.example.com"]}],
    ],
)
def test_a_wildcard_covers_one_label_and_not_its_own_parent(domains: Any) -> None:
    assert not refusals(variables(traefik_acme_domains=domains))


@pytest.mark.parametrize("challenge", ["http", "dns"])
def test_a_certificate_for_several_stacks_needs_no_wildcard(challenge: str) -> None:
    domains = variables(traefik_acme_domains=[{"main": "a.example.com", "sans": ["b.example.com"]}])
    assert not refusals(both(domains, variables(traefik_acme_challenge=challenge)))


def test_a_provider_is_wanted_for_its_own_challenge_alone() -> None:
    nobody = variables(traefik_acme_dns_provider="", traefik_acme_dns_environment={})
    http = variables(traefik_acme_challenge="http", traefik_acme_domains=[])
    assert not refusals(both(nobody, http))


def test_a_wrong_credential_is_refused_without_its_value() -> None:
    def given(**environment: Any) -> Change:
        return variables(traefik_acme_dns_environment=environment)

    assert set(refusals(given(CF_DNS_API_TOKEN="change-me"))) == {
        "traefik_acme_dns_environment.CF_DNS_API_TOKEN"
    }
    (found,) = refusals(given(CF_TOKEN=["of-a-kind"])).values()
    assert "of-a-kind" not in found


@pytest.mark.parametrize("cdn", ["cloudflare", ["192.0.2.7"]])
def test_a_cdn_is_known_by_name_or_by_its_networks(cdn: Any) -> None:
    assert not refusals(variables(edge_cdn=cdn))


def test_without_a_cdn_staff_may_have_any_network() -> None:
    networks = variables(stack_staff_addresses=["2001:db8::/32"])
    assert not refusals(both(networks, variables(edge_cdn="", edge_cdn_only=False)))


@pytest.mark.parametrize("path", ["/", "/api/notes", "/admin/login", "/about"])
def test_a_rule_may_be_about_whatever_is_answered(path: str) -> None:
    assert not refusals(variables(stack_max_body={path: "1m"}))


@pytest.mark.parametrize("image", ["traefik:v3.7.13", "traefik:v4.0.0", "traefik:next"])
def test_a_traefik_that_is_not_known_to_be_unsafe_may_stand_in_front(image: str) -> None:
    assert not refusals(variables(traefik_image=image))


@pytest.mark.parametrize("steps", [[], [100], [1, 2, 3]])
def test_a_canary_rises(steps: list[int]) -> None:
    assert not refusals(variables(stack_canary=steps))


def test_a_service_may_outlast_the_drain() -> None:
    assert not refusals(service(stop_timeout=30))


def test_a_bad_value_brings_no_second_problem() -> None:
    """A value that is refused counts as there."""
    assert set(refusals(service(port="80"))) == {"stack_services.backend.port"}
    assert set(refusals(service(uid="x"))) == {"stack_services.backend.uid"}
    assert set(refusals(service(paths="/"))) == {"stack_services.backend.paths"}
    broken = {"static": {"owner": "x", "scope": "x", "from": {"service": "x"}}, "media": None}
    expected = {
        "stack_volumes.static.owner",
        "stack_volumes.static.scope",
        "stack_volumes.static.from.path",
        "stack_volumes.static.from.service",
        "stack_volumes.media",
    }
    assert set(refusals(variables(stack_volumes=broken))) == expected
    assert set(refusals(variables(stack_secrets={"django_secret_key": None}))) == {
        "stack_secrets.django_secret_key"
    }
    assert set(refusals(variables(data_postgres_password="change-me"))) == {
        "data_postgres_password"
    }


def test_roles_can_be_checked_apart() -> None:
    host = {"host": SPECS["host"]}
    assert validate(host, {"host_deploy_keys": GOOD["host_deploy_keys"], "stack_x": 1}) == []
    stack = {"stack": SPECS["stack"]}
    assert validate(stack, {name: GOOD[name] for name in SPECS["stack"]["main"]}) == []


# A certificate and its key


def make_pair() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem).decode(), private.decode()


def pair(certificate: str, key: str) -> Change:
    return variables(traefik_certificate=certificate, traefik_certificate_key=key)


def test_a_certificate_with_its_key_passes() -> None:
    certificate, key = make_pair()
    assert not refusals(pair(certificate, key))
    assert not refusals(pair(certificate + make_pair()[0], key))


def test_a_certificate_and_its_key_come_together() -> None:
    certificate, key = make_pair()
    assert "both or none" in refusals(pair(certificate, ""))["traefik_certificate_key"]
    assert "both or none" in refusals(pair("", key))["traefik_certificate"]


def test_a_key_of_another_certificate_is_refused() -> None:
    found = refusals(pair(make_pair()[0], make_pair()[1]))
    assert "does not belong to" in found["traefik_certificate_key"]


def test_torn_files_are_refused() -> None:
    certificate, key = make_pair()
    torn = certificate.replace(certificate.splitlines()[2] + "\n", "")
    assert "cannot be read" in refusals(pair(torn, key))["traefik_certificate"]
    torn = key.replace(key.splitlines()[1] + "\n", "")
    found = refusals(pair(certificate, torn))["traefik_certificate_key"]
    assert "cannot be read" in found
    assert key.splitlines()[2] not in found
    assert set(refusals(pair(key, certificate))) == {
        "traefik_certificate",
        "traefik_certificate_key",
    }
