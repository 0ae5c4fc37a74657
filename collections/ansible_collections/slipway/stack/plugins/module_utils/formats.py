"""What values of public variables look like: the formats that `patterns` gives to places."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.slipway.stack.plugins.module_utils.addresses import EXAMPLE_V6
from ansible_collections.slipway.stack.plugins.module_utils.recognisers import (
    CAPABILITIES,
    LABEL,
    STOP_SIGNALS,
    is_absolute,
    is_addresses,
    is_cdn,
    is_certificate_domain,
    is_domain,
    is_header_value,
    is_host,
    is_image,
    is_line,
    is_local_network_v6,
    is_memory,
    is_mount,
    is_name_server,
    is_network,
    is_path_prefix,
    is_pem,
    is_pinned_image,
    is_public_key,
    is_registry_host,
    is_repository,
    is_service_name,
    is_stack_name,
    is_text,
    is_time_zone,
    is_tmpfs,
    matches,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PLACEHOLDER = "change-me"
# How SOPS begins what it has encrypted.
SEALED = "ENC[AES256_GCM,"
# Linux gives one argument or environment variable no more than 128 KiB.
LONGEST_ARGUMENT = 128 * 1024 - 1024
# Characters of a value that a message shows.
QUOTED_LENGTH = 60


@dataclass(frozen=True)
class Format:
    """One format of a string.

    ``name`` follows "is not", ``cure`` is a whole sentence, ``quoted`` says whether a message may
    show a value that breaks the format. ``longest`` is in characters.
    """

    name: str
    accepts: Callable[[str], bool]
    cure: str
    quoted: bool = True
    longest: int = 255


@dataclass(frozen=True)
class Range:
    """Both ends belong to it. ``unit`` follows the figures in messages and may be empty."""

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        """Write it as "from 1 to 600 seconds"."""
        return f"from {self.low:g} to {self.high:,.12g} {self.unit}".replace(",", "").rstrip()


@dataclass(frozen=True)
class Keys:
    """A mapping whose keys the operator chooses.

    ``entry`` is the entry point of the role's argument_specs that describes each value, or None
    where values are plain. ``scalars`` lets numbers and booleans stand beside strings.
    """

    key: Format
    entry: str | None = None
    scalars: bool = False


def quote(text: str) -> str:
    """Show a value on one line of a message, cut after 60 characters."""
    shown = text if len(text) <= QUOTED_LENGTH else text[: QUOTED_LENGTH - 3] + "..."
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


LINE = Format("a text of one line", is_line, "Write it in quotes and without line breaks.")
TEXT = Format(
    "a text",
    is_text,
    "Write it in quotes, without NUL characters.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)
PASSWORD = Format(
    "a text of one line",
    is_line,
    "Write it in quotes and without line breaks, in the inventory's vault.yml.",
    quoted=False,
    longest=1024,
)
ARGUMENT = Format(
    "an argument",
    is_text,
    "Write one argument per item, in quotes and without NUL characters.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)
HOST = Format(
    "a host name",
    is_host,
    "Write it in lower case without scheme, port or path, such as backend.example.com.",
    longest=253,
)
DOMAIN = Format(
    "a domain",
    is_domain,
    "Write a host name in lower case with at least one dot, without scheme, port or path, such as"
    " www.example.com.",
    longest=253,
)
CERTIFICATE_DOMAIN = Format(
    "a domain or a wildcard",
    is_certificate_domain,
    "Write a host name in lower case with at least one dot, or *. and such a name, in quotes:"
    ' "*.example.com".',
    longest=253,
)
NAME_SERVER = Format(
    "a name server",
    is_name_server,
    "Write its IPv4 address or host name, with a port if it is not 53, such as 1.1.1.1:53.",
)
DNS_PROVIDER = Format(
    "a DNS provider's code",
    matches(r"[a-z0-9][a-z0-9-]{0,62}"),
    "Write it as Traefik's list of providers does, such as cloudflare, route53 or hetzner.",
)
IMAGE = Format(
    "an image reference",
    is_image,
    "Write [registry/]name[:tag][@sha256:digest] with the name in lower case, such as"
    " registry.example.com/shop/backend.",
)
PINNED_IMAGE = Format(
    "an image reference with a tag or digest",
    is_pinned_image,
    "Write [registry/]name:tag, such as postgres:17.",
)
VERSION = Format(
    "a version that can be an image's tag",
    matches(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
    "Use up to 128 letters, digits, dots, dashes and underscores, such as 1.4.2.",
)
REGISTRY = Format(
    "a registry",
    matches(rf"{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"),
    "Write its host name with an optional port and path, without scheme and closing slash, such as"
    " registry.example.com/shop.",
)
REGISTRY_HOST = Format(
    "a registry's host",
    is_registry_host,
    "Write its host name with an optional port, without scheme and path, such as"
    " registry.example.com:5000.",
)
MIRROR = Format(
    "a mirror's address",
    matches(rf"https?://{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?/?"),
    "Write it with its scheme and without a path, such as https://mirror.example.com.",
    longest=1024,
)
MEMORY = Format(
    "an amount of memory",
    is_memory,
    "Write a whole number with the unit k, m or g, 6m or more, such as 256m.",
)
DISK_SPACE = Format(
    "an amount of disk space",
    matches(r"[1-9][0-9]{0,9}[kmg]"),
    "Write a whole number with the unit k, m or g, such as 2g.",
)
LOG_SIZE = Format(
    "a size of a log file",
    matches(r"[1-9][0-9]{0,9}[kmg]"),
    "Write a whole number with the unit k, m or g, such as 10m.",
)
JOURNAL_SIZE = Format(
    "a size of the journal",
    matches(r"[1-9][0-9]{0,9}[KMGT]"),
    "Write a whole number with the unit K, M, G or T, such as 500M.",
)
ABSOLUTE_PATH = Format(
    "an absolute path",
    is_absolute,
    "Start it with /, without spaces, // and .., and leave out a closing slash: /srv/slipway.",
    longest=1024,
)
TMPFS = Format(
    "an absolute path",
    is_tmpfs,
    "Start it with /, without spaces and .., options behind a colon: /tmp or /tmp:size=64m.",
)
MOUNT = Format(
    "a mount point",
    is_mount,
    "Write an absolute path in the container, with :ro behind it for reading only: /srv/media:ro.",
)
PATH_PREFIX = Format(
    "a path prefix",
    is_path_prefix,
    "Start it with / and use letters, digits and . _ ~ @ : + - only, such as /api.",
)
HEADER_NAME = Format(
    "a header's name",
    matches(r"[A-Za-z][A-Za-z0-9-]{0,63}"),
    "Use letters, digits and dashes, such as Referrer-Policy.",
)
HEADER_VALUE = Format(
    "a header's value",
    is_header_value,
    "Write it on one line in plain characters, without {{ and backticks.",
    longest=4096,
)
ADDRESSES = Format(
    "an address or a network",
    is_addresses,
    "Write an IPv4 or IPv6 address, with the prefix behind it for a network: 192.0.2.7 or"
    " 2001:db8::/32.",
)
PAGE_FILE = Format(
    "an HTML file",
    matches(r"[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]\.html"),
    "Give the path of a file that ends in .html.",
    longest=4096,
)
STAFF_TOKEN = Format(
    "a password for an address",
    matches(r"[A-Za-z0-9_-]{20,128}"),
    "Use 20 to 128 letters, digits, underscores and dashes, such as openssl rand -hex 16 prints.",
    quoted=False,
)
CDN = Format(
    "a CDN that is known by name, or a list of networks",
    is_cdn,
    "Write cloudflare, or the CDN's networks as a list: [192.0.2.0/24].",
)
BODY_SIZE = Format(
    "a size of a body",
    matches(r"[1-9][0-9]{0,9}[kmg]"),
    "Write a whole number with the unit k, m or g, such as 20m.",
)
HEALTH_PATH = Format(
    "a path",
    matches(r"/[A-Za-z0-9._~@:+/?&=%,;-]*"),
    "Start it with /, without spaces, such as /healthz.",
    longest=2048,
)
EMAIL = Format(
    "an e-mail address",
    matches(rf"[A-Za-z0-9._%+-]{{1,64}}@{LABEL}(?:\.{LABEL})+"),
    "Write it like ops@example.com.",
    longest=254,
)
REPOSITORY = Format(
    "an image's repository",
    is_repository,
    "Write [registry/]name without tag and digest, such as registry.example.com/shop/backend.",
)
DIGEST = Format(
    "a digest",
    matches(r"sha256:[0-9a-f]{64}"),
    "Write sha256: and 64 hexadecimal digits, as the pipeline hands them on.",
)
SHA256 = Format(
    "a SHA-256",
    matches(r"[0-9a-f]{64}"),
    "Write its 64 hexadecimal digits, as sha256sum prints them.",
)
DOWNLOAD = Format(
    "a file's address",
    matches(
        rf"(?:https?://{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?|file://)"
        r"(?:/[A-Za-z0-9._~@+-]+)+"
    ),
    "Write it with https://, or file:// for one that lies on the host.",
    longest=2048,
)
WEBHOOK = Format(
    "a webhook's address",
    matches(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~@:+/?&=%,;#-]*"),
    "Write it as the chat's settings show it, in the inventory's vault.yml.",
    quoted=False,
    longest=2048,
)
WEB_ADDRESS = Format(
    "a web address",
    matches(rf"https?://{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~@:+/?&=%,;#-]*)?"),
    "Write it with its scheme and without spaces, such as https://ci.example.com/runs/42.",
    longest=2048,
)
COMMIT = Format(
    "a commit",
    matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"),
    "Give its hash, as git rev-parse HEAD prints it.",
)
TASK_FILE = Format(
    "a file of tasks",
    matches(r"[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]\.ya?ml"),
    "Give the path of a file that ends in .yml.",
    longest=4096,
)
STACK_NAME = Format(
    "a stack's name",
    is_stack_name,
    "Use 2 to 20 lower-case letters, digits and dashes, a letter first and no dash last. Not api,"
    " and not ending in -edge, -app, -data or -certificate.",
)
SERVICE_NAME = Format(
    "a service's name",
    is_service_name,
    "Use up to 30 lower-case letters, digits and dashes, a letter first and no dash last. Not"
    " postgres, and no number behind the last dash.",
)
COMMAND_NAME = Format(
    "a command's name",
    is_service_name,
    "Use up to 30 lower-case letters, digits and dashes, a letter first and no dash last. Not"
    " postgres, and no number behind the last dash.",
)
SECRET_NAME = Format(
    "a secret's name",
    matches(r"[a-z][a-z0-9_-]{0,62}"),
    "Use up to 63 lower-case letters, digits, underscores and dashes, a letter first.",
)
VOLUME_NAME = Format(
    "a volume's name",
    matches(r"[a-z][a-z0-9_-]{0,62}"),
    "Use up to 63 lower-case letters, digits, underscores and dashes, a letter first.",
)
VARIABLE_NAME = Format(
    "an environment variable's name",
    matches(r"[A-Za-z_][A-Za-z0-9_]*"),
    "Use letters, digits and underscores, no digit first, such as DATABASE_HOST.",
)
USER_NAME = Format(
    "an account's name",
    matches(r"[a-z_][a-z0-9_-]{0,31}"),
    "Use up to 32 lower-case letters, digits, underscores and dashes, a letter first.",
)
VISITOR_NAME = Format(
    "a visitor's name",
    matches(r"[A-Za-z0-9._@+-]{1,64}"),
    "Use up to 64 letters, digits and . _ @ + - only.",
)
BCRYPT = Format(
    "a bcrypt hash",
    matches(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}"),
    "Make one with: htpasswd -nB name. Give what it prints behind the colon.",
    quoted=False,
)
PUBLIC_KEY = Format(
    "an SSH public key",
    is_public_key,
    "Give the one line of a .pub file, such as ssh-ed25519 AAAA… name.",
    quoted=False,
    longest=16384,
)
TIME_ZONE = Format(
    "a time zone",
    is_time_zone,
    "Take a name that timedatectl list-timezones prints, such as Europe/Berlin.",
)
TIME_OF_DAY = Format(
    "a time of day",
    matches(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"),
    'Write it as "HH:MM" in quotes, such as "04:30".',
)
PACKAGE = Format(
    "a package's name",
    matches(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[0-9A-Za-z.+:~*-]+)?"),
    "Write it as apt does, in lower case, such as htop.",
)
PACKAGE_VERSION = Format(
    "a package's version",
    matches(r"[0-9A-Za-z][0-9A-Za-z.+:~*-]*"),
    "Write it as apt-cache madison docker-ce prints it.",
)
IDENTIFIER = Format(
    "a Postgres name",
    matches(r"[a-z_][a-z0-9_]{0,62}"),
    "Use up to 63 lower-case letters, digits and underscores, no digit first.",
)
SETTING_NAME = Format(
    "a Postgres setting's name",
    matches(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?"),
    "Write it as in postgresql.conf, such as shared_buffers.",
)
SETTING = Format(
    "a Postgres setting",
    is_line,
    "Write it on one line without control characters.",
    quoted=False,
    longest=1024,
)
DOOR_SUBNET = Format(
    "a private IPv4 network with the prefix /24",
    is_network(24),
    "Write its first address and the prefix, such as 10.213.0.0/24.",
)
DOOR_SUBNET_V6 = Format(
    "a local IPv6 network with the prefix /64",
    is_local_network_v6,
    f"Write its first address and the prefix, such as {EXAMPLE_V6}; '' for no IPv6.",
)
STACK_SUBNET = Format(
    "a private IPv4 network with the prefix /22",
    is_network(22),
    "Write its first address and the prefix, such as 10.213.4.0/22.",
)
PREVIEW_SUBNETS = Format(
    "a private IPv4 network of a /22 or more",
    is_network(longest=22),
    "Write its first address and the prefix, such as 10.213.128.0/17.",
)
POOL = Format(
    "a private IPv4 network",
    is_network(),
    "Write its first address and the prefix, such as 10.214.0.0/16.",
)
CAPABILITY = Format(
    "a Linux capability",
    CAPABILITIES.__contains__,
    "Write it in capitals without CAP_, such as NET_BIND_SERVICE.",
)
STOP_SIGNAL = Format(
    "a signal that asks a process to end",
    STOP_SIGNALS.__contains__,
    f"Take one of {', '.join(sorted(STOP_SIGNALS))}.",
)
CERTIFICATE = Format(
    "a certificate in PEM",
    is_pem("CERTIFICATE"),
    "Give the chain with its BEGIN CERTIFICATE and END CERTIFICATE lines, the server's first.",
    quoted=False,
    longest=2**20,
)
VERIFY_KEY = Format(
    "a public key in PEM",
    is_pem("PUBLIC KEY"),
    "Give the file cosign.pub with its BEGIN PUBLIC KEY and END PUBLIC KEY lines.",
    quoted=False,
    longest=2**14,
)
PRIVATE_KEY = Format(
    "a private key in PEM",
    is_pem("(?:RSA |EC )?PRIVATE KEY"),
    "Give the key with its BEGIN and END lines, without a passphrase.",
    quoted=False,
    longest=2**20,
)
# Free text in which nothing but the placeholder and emptiness can be wrong.
SECRET = Format(
    "a text",
    is_text,
    "Write it in quotes, in the inventory's vault.yml.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)
