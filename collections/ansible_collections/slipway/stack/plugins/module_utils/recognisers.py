"""Telling well-formed texts from others: one function for each kind of text."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import zoneinfo
from typing import TYPE_CHECKING

from ansible_collections.slipway.stack.plugins.module_utils.cdn import known_cdns

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE_NETWORKS = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)

# RFC 4193: what a site may give to itself.
LOCAL_NETWORK_V6 = ipaddress.IPv6Network("fd00::/8")

_CAPABILITY_NAMES = (
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN "
    "DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE "
    "MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON "
    "SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE "
    "SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM "
)
CAPABILITIES = frozenset(_CAPABILITY_NAMES.split())

STOP_SIGNALS = frozenset(
    {"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH"}
)

# Each of these ends a name that Slipway itself gives: <stack>-edge is a network of the stack.
STACK_NAME_ENDINGS = ("-edge", "-app", "-data", "-certificate")
# api.yml, slot.yml and tls.yml in Traefik's dynamic directory are the proxy's own.
STACK_NAMES_TAKEN = frozenset({"api", "slot", "tls"})
# Containers find the database under this name.
SERVICE_NAMES_TAKEN = frozenset({"postgres"})

MOST_PORT = 65535


def matches(pattern: str) -> Callable[[str], bool]:
    """Accept what a regular expression matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_host_name = matches(rf"{LABEL}(?:\.{LABEL})*")
is_registry_host = matches(rf"{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?")
is_image = matches(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_path = matches(r"/[A-Za-z0-9._/-]*")
_url_path = matches(r"/[A-Za-z0-9._~@:+/-]*")
_dashed_name = matches(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")


def is_host(text: str) -> bool:
    """Accept a host name that is no address."""
    return _host_name(text) and not _host_is_address(text)


def _host_is_address(text: str) -> bool:
    return text.rpartition(".")[2].isdigit()


def is_domain(text: str) -> bool:
    """Accept a host name of two labels or more."""
    return "." in text and is_host(text)


def is_certificate_domain(text: str) -> bool:
    """Accept a domain, or a wildcard of all names one label below it."""
    return is_domain(text.removeprefix("*."))


def is_name_server(text: str) -> bool:
    """Accept a host name or an IPv4 address, with or without a port."""
    host, colon, port = text.partition(":")
    if colon and not (matches(r"[1-9][0-9]{0,4}")(port) and int(port) <= MOST_PORT):
        return False
    return is_host(host) or (":" not in host and "/" not in host and is_addresses(host))


def is_pinned_image(text: str) -> bool:
    """Accept an image reference that does not leave the tag open."""
    return is_image(text) and has_tag(text)


def has_tag(image: str) -> bool:
    """Say whether an image reference has a tag or a digest of its own."""
    return "@" in image or ":" in image.rpartition("/")[2]


def is_repository(text: str) -> bool:
    """Accept the name of an image without tag and digest."""
    return is_image(text) and not has_tag(text)


def parse_network(text: str) -> ipaddress.IPv4Network | None:
    """Read a private IPv4 network with its prefix length, None if it is none."""
    if re.fullmatch(r"[0-9.]+/[0-9]+", text, re.ASCII) is None:
        return None
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    return network if any(network.subnet_of(outer) for outer in PRIVATE_NETWORKS) else None


def is_addresses(text: str) -> bool:
    """Accept an IPv4 or IPv6 address, or a network by its first address and prefix length."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    # Python reads a netmask too, Traefik and nftables do not.
    return re.fullmatch(r"[0-9a-fA-F:.]+(/[0-9]+)?", text, re.ASCII) is not None


def is_cdn(text: str) -> bool:
    """Accept the name of a CDN whose networks are known."""
    return text in known_cdns()


def is_header_value(text: str) -> bool:
    """Accept printable ASCII that Traefik does not take for a template."""
    return text.isascii() and text.isprintable() and "{{" not in text and "`" not in text


def is_network(prefix: int | None = None, *, longest: int = 32) -> Callable[[str], bool]:
    """Accept a private IPv4 network, of one prefix length if given, or of any up to the longest."""

    def accepts(text: str) -> bool:
        network = parse_network(text)
        return (
            network is not None
            and prefix in (None, network.prefixlen)
            and network.prefixlen <= longest
        )

    return accepts


def is_local_network_v6(text: str) -> bool:
    """Accept a /64 of IPv6's unique local addresses."""
    if re.fullmatch(r"[0-9a-f:]+/64", text, re.ASCII) is None:
        return False
    try:
        network = ipaddress.IPv6Network(text)
    except ValueError:
        return False
    return network.subnet_of(LOCAL_NETWORK_V6)


def is_absolute(text: str) -> bool:
    """Accept an absolute path other than / without empty or dotted segments."""
    return (
        text != "/"
        and _path(text)
        and all(part not in ("", ".", "..") for part in text[1:].split("/"))
    )


def is_path_prefix(text: str) -> bool:
    """Accept the path of an address without empty or dotted segments."""
    return _url_path(text) and "//" not in text and not {".", ".."} & set(text.split("/"))


def is_mount(text: str) -> bool:
    """Accept a path in a container, with or without :ro."""
    return is_absolute(text.removesuffix(":ro"))


def is_tmpfs(text: str) -> bool:
    """Accept a path in a container, with or without mount options."""
    path, colon, options = text.partition(":")
    return is_absolute(path) and (not colon or matches(r"[a-z0-9=,%]+")(options))


def is_time_zone(text: str) -> bool:
    """Accept a time zone that the controller knows."""
    if not matches(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")(text):
        return False
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A controller without a tz database cannot tell.
        return not zoneinfo.available_timezones()
    return True


def is_public_key(text: str) -> bool:
    """Accept one line of an OpenSSH .pub file whose content is of the kind that it says."""
    match = re.fullmatch(
        r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
        r"|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
        r" ([A-Za-z0-9+/]+={0,2})(?: [^\x00-\x1f\x7f]*)?",
        text,
    )
    if match is None:
        return False
    try:
        blob = base64.b64decode(match[2], validate=True)
    except (binascii.Error, ValueError):
        return False
    kind = match[1].encode()
    return blob.startswith(len(kind).to_bytes(4, "big") + kind) and len(blob) > len(kind) + 4


def is_memory(text: str) -> bool:
    """Accept an amount of memory that a container can run in."""
    match = re.fullmatch(r"([1-9][0-9]{0,9})([kmg])", text, re.ASCII)
    if match is None:
        return False
    # Docker itself refuses to run a container in less than 6 MiB.
    return int(match[1]) * {"k": 1, "m": 1024, "g": 1024 * 1024}[match[2]] >= 6 * 1024


def is_stack_name(text: str) -> bool:
    """Accept a name that no name of Slipway's own begins or collides with."""
    return (
        2 <= len(text) <= 20  # noqa: PLR2004
        and _dashed_name(text)
        and text not in STACK_NAMES_TAKEN
        and not text.endswith(STACK_NAME_ENDINGS)
    )


def is_service_name(text: str) -> bool:
    """Accept a name that no container of another service can have."""
    return (
        len(text) <= 30  # noqa: PLR2004
        and _dashed_name(text)
        and text not in SERVICE_NAMES_TAKEN
        # Replicas are called <service>-<number>.
        and re.search(r"-[0-9]+\Z", text) is None
    )


def is_text(text: str) -> bool:
    """Accept what can be an argument, an environment variable or a file.

    Half a surrogate pair, as JSON may have it, is no text.
    """
    return re.search(r"[\x00\ud800-\udfff]", text) is None


def is_line(text: str) -> bool:
    """Accept a text without control characters."""
    return is_text(text) and re.search(r"[\x00-\x1f\x7f]", text) is None


def is_pem(kinds: str) -> Callable[[str], bool]:
    """Accept a text with a PEM block of one of the kinds, a regular expression."""
    block = re.compile(rf"-----BEGIN ({kinds})-----\s[A-Za-z0-9+/=\s]+-----END \1-----", re.ASCII)
    return lambda text: block.search(text) is not None
