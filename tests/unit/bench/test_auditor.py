"""What auditors write is read as they mean it."""

from __future__ import annotations

from bench import auditor
from bench.auditor import Finding

REPORT = """\
# Lynis Report
report_version_major=1
warning[]=FIRE-4512|iptables module(s) loaded, but no rules active|-|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|MaxSessions (set 10 to 2)|-|
suggestion[]=DEB-0810|Install apt-listbugs to display a list of critical bugs.|-|-|
hardening_index=85
"""


def test_grade_and_all_that_is_worse_than_fine_is_read_of_testssl() -> None:
    said = [
        {"id": "service", "severity": "INFO", "finding": "HTTP"},
        {"id": "TLS1_3", "severity": "OK", "finding": "offered with final"},
        {"id": "LUCKY13", "severity": "LOW", "finding": "potentially vulnerable"},
        {"id": "overall_grade", "severity": "OK", "finding": "A+"},
    ]
    found = auditor.tls_of(said)
    assert found.grade == "A+"
    assert found.findings == [Finding("LUCKY13", "LOW", "potentially vulnerable")]


def test_index_warnings_and_suggestions_are_read_of_lynis() -> None:
    found = auditor.hardening_of(REPORT)
    assert found.index == 85
    assert [one.check for one in found.warnings] == ["FIRE-4512"]
    assert [(one.check, one.text) for one in found.suggestions] == [
        ("SSH-7408", "Consider hardening SSH configuration MaxSessions (set 10 to 2)"),
        ("DEB-0810", "Install apt-listbugs to display a list of critical bugs."),
    ]


def test_what_ssh_audit_says_against_an_algorithm_is_read_and_what_it_tells_is_not() -> None:
    good = {"algorithm": "ssh-ed25519", "notes": {"info": ["available since OpenSSH 6.5"]}}
    weak = {"algorithm": "hmac-sha1", "notes": {"fail": ["broken"], "warn": ["small"]}}
    said = {"kex": [], "key": [good], "enc": [], "mac": [weak], "fingerprints": []}
    assert auditor.notes_of(said) == {
        Finding("hmac-sha1", "fail", "broken"),
        Finding("hmac-sha1", "warn", "small"),
    }


def test_profile_leaves_out_each_check_that_is_named() -> None:
    assert auditor.profile(["A-1", "K-2:net.x"]) == "skip-test=A-1\nskip-test=K-2:net.x\n"
