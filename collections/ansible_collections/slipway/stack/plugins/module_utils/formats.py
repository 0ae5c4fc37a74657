"""What the values of public variables must look like, one table for each kind of value.

A *pattern* names a place in the variables: ``stack_services.*.health.path`` is the path of any
service's health check (``*`` stands for a key that the operator chooses) and ``stack_commands[]``
is any item of that list.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PLACEHOLDER = "change-me"
# Linux gives one argument or environment variable no more than 128 KiB.
LONGEST_ARGUMENT = 128 * 1024 - 1024
# Characters of a value that a message shows.
QUOTED_LENGTH = 60

PRIVATE_NETWORKS = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)

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
# api.yml in Traefik's dynamic directory is the proxy's own.
STACK_NAMES_TAKEN = frozenset({"api"})
# Containers find the database under this name.
SERVICE_NAMES_TAKEN = frozenset({"postgres"})


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


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_host_name = _matches(rf"{_LABEL}(?:\.{_LABEL})*")
_registry_host = _matches(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?")
_image = _matches(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_path = _matches(r"/[A-Za-z0-9._/-]*")
_url_path = _matches(r"/[A-Za-z0-9._~@:+/-]*")
_dashed_name = _matches(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")


def _is_host(text: str) -> bool:
    return _host_name(text) and not _host_is_address(text)


def _host_is_address(text: str) -> bool:
    return text.rpartition(".")[2].isdigit()


def _is_domain(text: str) -> bool:
    return "." in text and _is_host(text)


def _is_pinned_image(text: str) -> bool:
    return _image(text) and has_tag(text)


def has_tag(image: str) -> bool:
    """Say whether an image reference has a tag or a digest of its own."""
    return "@" in image or ":" in image.rpartition("/")[2]


def parse_network(text: str) -> ipaddress.IPv4Network | None:
    """Read a private IPv4 network with its prefix length, None if it is none."""
    if re.fullmatch(r"[0-9.]+/[0-9]+", text, re.ASCII) is None:
        return None
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    return network if any(network.subnet_of(outer) for outer in PRIVATE_NETWORKS) else None


def _is_network(prefix: int | None = None) -> Callable[[str], bool]:
    def accepts(text: str) -> bool:
        network = parse_network(text)
        return network is not None and prefix in (None, network.prefixlen)

    return accepts


def _is_absolute(text: str) -> bool:
    """Accept an absolute path other than / without empty or dotted segments."""
    return (
        text != "/"
        and _path(text)
        and all(part not in ("", ".", "..") for part in text[1:].split("/"))
    )


def _is_path_prefix(text: str) -> bool:
    return _url_path(text) and "//" not in text and not {".", ".."} & set(text.split("/"))


def _is_mount(text: str) -> bool:
    return _is_absolute(text.removesuffix(":ro"))


def _is_tmpfs(text: str) -> bool:
    path, colon, options = text.partition(":")
    return _is_absolute(path) and (not colon or _matches(r"[a-z0-9=,%]+")(options))


def _is_time_zone(text: str) -> bool:
    if not _matches(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")(text):
        return False
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A controller without a tz database cannot tell.
        return not zoneinfo.available_timezones()
    return True


def _is_public_key(text: str) -> bool:
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


def _is_memory(text: str) -> bool:
    match = re.fullmatch(r"([1-9][0-9]{0,9})([kmg])", text, re.ASCII)
    if match is None:
        return False
    # Docker itself refuses to run a container in less than 6 MiB.
    return int(match[1]) * {"k": 1, "m": 1024, "g": 1024 * 1024}[match[2]] >= 6 * 1024


def _is_stack_name(text: str) -> bool:
    return (
        2 <= len(text) <= 20  # noqa: PLR2004
        and _dashed_name(text)
        and text not in STACK_NAMES_TAKEN
        and not text.endswith(STACK_NAME_ENDINGS)
    )


def _is_service_name(text: str) -> bool:
    return (
        len(text) <= 30  # noqa: PLR2004
        and _dashed_name(text)
        and text not in SERVICE_NAMES_TAKEN
        # Replicas are called <service>-<number>.
        and re.search(r"-[0-9]+\Z", text) is None
    )


def _is_text(text: str) -> bool:
    return "\0" not in text


def _is_line(text: str) -> bool:
    return re.search(r"[\x00-\x1f\x7f]", text) is None


def _is_pem(kinds: str) -> Callable[[str], bool]:
    block = re.compile(rf"-----BEGIN ({kinds})-----\s[A-Za-z0-9+/=\s]+-----END \1-----", re.ASCII)
    return lambda text: block.search(text) is not None


LINE = Format("a text of one line", _is_line, "Write it in quotes and without line breaks.")
TEXT = Format(
    "a text",
    _is_text,
    "Write it in quotes, without NUL characters.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)
PASSWORD = Format(
    "a text of one line",
    _is_line,
    "Write it in quotes and without line breaks, in the inventory's vault.yml.",
    quoted=False,
    longest=1024,
)
ARGUMENT = Format(
    "an argument",
    _is_text,
    "Write one argument per item, in quotes and without NUL characters.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)
HOST = Format(
    "a host name",
    _is_host,
    "Write it in lower case without scheme, port or path, such as backend.example.com.",
    longest=253,
)
DOMAIN = Format(
    "a domain",
    _is_domain,
    "Write a host name in lower case with at least one dot, without scheme, port or path, such as"
    " www.example.com.",
    longest=253,
)
IMAGE = Format(
    "an image reference",
    _image,
    "Write [registry/]name[:tag][@sha256:digest] with the name in lower case, such as"
    " registry.example.com/shop/backend.",
)
PINNED_IMAGE = Format(
    "an image reference with a tag or digest",
    _is_pinned_image,
    "Write [registry/]name:tag, such as postgres:17.",
)
VERSION = Format(
    "a version that can be an image's tag",
    _matches(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
    "Use up to 128 letters, digits, dots, dashes and underscores, such as 1.4.2.",
)
REGISTRY = Format(
    "a registry",
    _matches(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"),
    "Write its host name with an optional port and path, without scheme and closing slash, such as"
    " registry.example.com/shop.",
)
REGISTRY_HOST = Format(
    "a registry's host",
    _registry_host,
    "Write its host name with an optional port, without scheme and path, such as"
    " registry.example.com:5000.",
)
MIRROR = Format(
    "a mirror's address",
    _matches(rf"https?://{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?/?"),
    "Write it with its scheme and without a path, such as https://mirror.example.com.",
    longest=1024,
)
MEMORY = Format(
    "an amount of memory",
    _is_memory,
    "Write a whole number with the unit k, m or g, 6m or more, such as 256m.",
)
DISK_SPACE = Format(
    "an amount of disk space",
    _matches(r"[1-9][0-9]{0,9}[kmg]"),
    "Write a whole number with the unit k, m or g, such as 2g.",
)
LOG_SIZE = Format(
    "a size of a log file",
    _matches(r"[1-9][0-9]{0,9}[kmg]"),
    "Write a whole number with the unit k, m or g, such as 10m.",
)
JOURNAL_SIZE = Format(
    "a size of the journal",
    _matches(r"[1-9][0-9]{0,9}[KMGT]"),
    "Write a whole number with the unit K, M, G or T, such as 500M.",
)
ABSOLUTE_PATH = Format(
    "an absolute path",
    _is_absolute,
    "Start it with /, without spaces, // and .., and leave out a closing slash: /srv/slipway.",
    longest=1024,
)
TMPFS = Format(
    "an absolute path",
    _is_tmpfs,
    "Start it with /, without spaces and .., options behind a colon: /tmp or /tmp:size=64m.",
)
MOUNT = Format(
    "a mount point",
    _is_mount,
    "Write an absolute path in the container, with :ro behind it for reading only: /srv/media:ro.",
)
PATH_PREFIX = Format(
    "a path prefix",
    _is_path_prefix,
    "Start it with / and use letters, digits and . _ ~ @ : + - only, such as /api.",
)
HEALTH_PATH = Format(
    "a path",
    _matches(r"/[A-Za-z0-9._~@:+/?&=%,;-]*"),
    "Start it with /, without spaces, such as /healthz.",
    longest=2048,
)
WEB_ADDRESS = Format(
    "a web address",
    _matches(
        rf"https?://{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~@:+/?&=%,;#-]*)?"
    ),
    "Write it with its scheme and without spaces, such as https://ci.example.com/runs/42.",
    longest=2048,
)
COMMIT = Format(
    "a commit",
    _matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"),
    "Give its hash, as git rev-parse HEAD prints it.",
)
TASK_FILE = Format(
    "a file of tasks",
    _matches(r"[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]\.ya?ml"),
    "Give the path of a file that ends in .yml.",
    longest=4096,
)
STACK_NAME = Format(
    "a stack's name",
    _is_stack_name,
    "Use 2 to 20 lower-case letters, digits and dashes, a letter first and no dash last. Not api,"
    " and not ending in -edge, -app, -data or -certificate.",
)
SERVICE_NAME = Format(
    "a service's name",
    _is_service_name,
    "Use up to 30 lower-case letters, digits and dashes, a letter first and no dash last. Not"
    " postgres, and no number behind the last dash.",
)
COMMAND_NAME = Format(
    "a command's name",
    _is_service_name,
    "Use up to 30 lower-case letters, digits and dashes, a letter first and no dash last. Not"
    " postgres, and no number behind the last dash.",
)
SECRET_NAME = Format(
    "a secret's name",
    _matches(r"[a-z][a-z0-9_-]{0,62}"),
    "Use up to 63 lower-case letters, digits, underscores and dashes, a letter first.",
)
VOLUME_NAME = Format(
    "a volume's name",
    _matches(r"[a-z][a-z0-9_-]{0,62}"),
    "Use up to 63 lower-case letters, digits, underscores and dashes, a letter first.",
)
VARIABLE_NAME = Format(
    "an environment variable's name",
    _matches(r"[A-Za-z_][A-Za-z0-9_]*"),
    "Use letters, digits and underscores, no digit first, such as DATABASE_HOST.",
)
USER_NAME = Format(
    "an account's name",
    _matches(r"[a-z_][a-z0-9_-]{0,31}"),
    "Use up to 32 lower-case letters, digits, underscores and dashes, a letter first.",
)
VISITOR_NAME = Format(
    "a visitor's name",
    _matches(r"[A-Za-z0-9._@+-]{1,64}"),
    "Use up to 64 letters, digits and . _ @ + - only.",
)
BCRYPT = Format(
    "a bcrypt hash",
    _matches(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}"),
    "Make one with: htpasswd -nB name. Give what it prints behind the colon.",
    quoted=False,
)
PUBLIC_KEY = Format(
    "an SSH public key",
    _is_public_key,
    "Give the one line of a .pub file, such as ssh-ed25519 AAAA… name.",
    quoted=False,
    longest=16384,
)
TIME_ZONE = Format(
    "a time zone",
    _is_time_zone,
    "Take a name that timedatectl list-timezones prints, such as Europe/Berlin.",
)
PACKAGE = Format(
    "a package's name",
    _matches(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[0-9A-Za-z.+:~*-]+)?"),
    "Write it as apt does, in lower case, such as htop.",
)
PACKAGE_VERSION = Format(
    "a package's version",
    _matches(r"[0-9A-Za-z][0-9A-Za-z.+:~*-]*"),
    "Write it as apt-cache madison docker-ce prints it.",
)
IDENTIFIER = Format(
    "a Postgres name",
    _matches(r"[a-z_][a-z0-9_]{0,62}"),
    "Use up to 63 lower-case letters, digits and underscores, no digit first.",
)
SETTING_NAME = Format(
    "a Postgres setting's name",
    _matches(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?"),
    "Write it as in postgresql.conf, such as shared_buffers.",
)
SETTING = Format(
    "a Postgres setting",
    _is_line,
    "Write it on one line without control characters.",
    quoted=False,
    longest=1024,
)
DOOR_SUBNET = Format(
    "a private IPv4 network with the prefix /24",
    _is_network(24),
    "Write its first address and the prefix, such as 10.213.0.0/24.",
)
STACK_SUBNET = Format(
    "a private IPv4 network with the prefix /22",
    _is_network(22),
    "Write its first address and the prefix, such as 10.213.4.0/22.",
)
POOL = Format(
    "a private IPv4 network",
    _is_network(),
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
    _is_pem("CERTIFICATE"),
    "Give the chain with its BEGIN CERTIFICATE and END CERTIFICATE lines, the server's first.",
    quoted=False,
    longest=2**20,
)
PRIVATE_KEY = Format(
    "a private key in PEM",
    _is_pem("(?:RSA |EC )?PRIVATE KEY"),
    "Give the key with its BEGIN and END lines, without a passphrase.",
    quoted=False,
    longest=2**20,
)
# Free text in which nothing but the placeholder and emptiness can be wrong.
SECRET = Format(
    "a text",
    _is_text,
    "Write it in quotes, in the inventory's vault.yml.",
    quoted=False,
    longest=LONGEST_ARGUMENT,
)

STRINGS: dict[str, Format] = {
    "host_directory": ABSOLUTE_PATH,
    "host_deploy_user": USER_NAME,
    "host_bootstrap_user": USER_NAME,
    "host_deploy_keys[]": PUBLIC_KEY,
    "host_timezone": TIME_ZONE,
    "host_packages[]": PACKAGE,
    "host_journal_max_size": JOURNAL_SIZE,
    "docker_version": PACKAGE_VERSION,
    "docker_registry_mirrors[]": MIRROR,
    "docker_address_pools[].base": POOL,
    "docker_log_max_size": LOG_SIZE,
    "docker_registries.*.username": LINE,
    "docker_registries.*.password": PASSWORD,
    "network_door_subnet": DOOR_SUBNET,
    "traefik_image": PINNED_IMAGE,
    "traefik_memory": MEMORY,
    "traefik_certificate": CERTIFICATE,
    "traefik_certificate_key": PRIVATE_KEY,
    "data_postgres_image": PINNED_IMAGE,
    "data_postgres_database": IDENTIFIER,
    "data_postgres_user": IDENTIFIER,
    "data_postgres_password": PASSWORD,
    "data_postgres_memory": MEMORY,
    "data_postgres_shm": MEMORY,
    "data_postgres_options.*": SETTING,
    "stack_name": STACK_NAME,
    "stack_domain": DOMAIN,
    "stack_domain_aliases[]": DOMAIN,
    "stack_subnet": STACK_SUBNET,
    "stack_registry": REGISTRY,
    "stack_version": VERSION,
    "stack_environment.*": TEXT,
    "stack_secrets.*": SECRET,
    "stack_commands[].name": COMMAND_NAME,
    "stack_commands[].service": SERVICE_NAME,
    "stack_commands[].command[]": ARGUMENT,
    "stack_commands[].plan[]": ARGUMENT,
    "stack_volumes.*.from.service": SERVICE_NAME,
    "stack_volumes.*.from.path": ABSOLUTE_PATH,
    "stack_hooks.before[]": TASK_FILE,
    "stack_hooks.after[]": TASK_FILE,
    "stack_min_free_disk": DISK_SPACE,
    "stack_run_url": WEB_ADDRESS,
    "stack_commit": COMMIT,
    "stack_actor": LINE,
    "stack_basic_auth.*": BCRYPT,
    "stack_services.*.image": IMAGE,
    "stack_services.*.paths[]": PATH_PREFIX,
    "stack_services.*.probe": HEALTH_PATH,
    "stack_services.*.domains[]": DOMAIN,
    "stack_services.*.health.path": HEALTH_PATH,
    "stack_services.*.health.host": HOST,
    "stack_services.*.health.command[]": ARGUMENT,
    "stack_services.*.command[]": ARGUMENT,
    "stack_services.*.environment.*": TEXT,
    "stack_services.*.secrets[]": SECRET_NAME,
    "stack_services.*.volumes.*": MOUNT,
    "stack_services.*.memory": MEMORY,
    "stack_services.*.tmpfs[]": TMPFS,
    "stack_services.*.capabilities[]": CAPABILITY,
    "stack_services.*.stop_signal": STOP_SIGNAL,
    "stack_sizes.*.memory": MEMORY,
}

NUMBERS: dict[str, Range] = {
    "docker_address_pools[].size": Range(8, 29),
    "docker_log_max_files": Range(1, 100, "files"),
    "traefik_cpus": Range(0.01, 512, "cores"),
    "data_postgres_cpus": Range(0.01, 512, "cores"),
    "stack_commands[].timeout": Range(1, 86400, "seconds"),
    "stack_drain_timeout": Range(1, 3600, "seconds"),
    "stack_keep_releases": Range(1, 10, "releases"),
    "stack_soak_seconds": Range(0, 3600, "seconds"),
    "stack_soak_max_error_percent": Range(0, 100, "percent"),
    "stack_soak_max_p95": Range(0.01, 600, "seconds"),
    "stack_probe_rate": Range(0, 100, "requests a second"),
    "stack_probe_max_lost": Range(0, 1_000_000, "requests"),
    "stack_canary[]": Range(1, 100, "percent"),
    "stack_lock_wait": Range(0, 86400, "seconds"),
    "stack_run_number": Range(0, 10**12 - 1),
    "stack_services.*.port": Range(1, 65535),
    "stack_services.*.health.start_timeout": Range(1, 3600, "seconds"),
    "stack_services.*.health.interval": Range(1, 300, "seconds"),
    "stack_services.*.health.timeout": Range(1, 300, "seconds"),
    "stack_services.*.uid": Range(1, 2**31 - 1),
    "stack_services.*.replicas": Range(1, 16, "containers"),
    "stack_services.*.cpus": Range(0.01, 512, "cores"),
    "stack_services.*.pids": Range(1, 32768, "processes"),
    "stack_services.*.stop_timeout": Range(1, 3600, "seconds"),
    "stack_sizes.*.replicas": Range(1, 16, "containers"),
    "stack_sizes.*.cpus": Range(0.01, 512, "cores"),
    "stack_volumes.*.owner": Range(1, 2**31 - 1),
}

MAPPINGS: dict[str, Keys] = {
    "docker_registries": Keys(REGISTRY_HOST, entry="registry"),
    "data_postgres_options": Keys(SETTING_NAME, scalars=True),
    "stack_services": Keys(SERVICE_NAME, entry="service"),
    "stack_services.*.environment": Keys(VARIABLE_NAME),
    "stack_services.*.volumes": Keys(VOLUME_NAME),
    "stack_sizes": Keys(SERVICE_NAME, entry="size"),
    "stack_environment": Keys(VARIABLE_NAME),
    "stack_secrets": Keys(SECRET_NAME),
    "stack_volumes": Keys(VOLUME_NAME, entry="volume"),
    "stack_basic_auth": Keys(VISITOR_NAME),
}

# Mappings that go as they are into the configuration of the engine and of Traefik.
FREE_MAPPINGS = frozenset({"docker_daemon_options", "traefik_options"})

# Plain values that may be empty although their default, if any, is not.
MAY_BE_EMPTY = frozenset(
    {"stack_environment.*", "stack_services.*.environment.*", "data_postgres_options.*"}
)

# Lists and mappings that must hold something although they are not required.
NEVER_EMPTY = frozenset({"docker_address_pools", "stack_services.*.paths"})


def quote(text: str) -> str:
    """Show a value on one line of a message, cut after 60 characters."""
    shown = text if len(text) <= QUOTED_LENGTH else text[: QUOTED_LENGTH - 3] + "..."
    return json.dumps(shown, ensure_ascii=not shown.isprintable())
