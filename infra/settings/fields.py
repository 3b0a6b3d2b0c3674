"""Checks of single settings: each returns the value, or raises with what was expected.

They are pure and know nothing of pydantic: `Expected` carries the words that end up in the error's last part.
"""

from __future__ import annotations

__all__ = [
    "Expected",
    "channel_url",
    "compose_project",
    "domain",
    "email",
    "git_branch",
    "git_commit",
    "git_url",
    "home_directory",
    "nearest",
    "network_range",
    "public_address",
    "relative_path",
    "request_path",
    "route_path",
    "secret_name",
    "slug",
    "source_network",
    "system_user",
    "telegram_chat",
]

import difflib
import ipaddress
import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_LIMIT = 63
DOMAIN_LIMIT = 253
PATH_LIMIT = 1024

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*\.[a-z]([a-z0-9-]{{0,61}}[a-z0-9])")
_EMAIL = re.compile(rf"[A-Za-z0-9._%+-]{{1,64}}@{_DOMAIN.pattern}")
_GIT_URL = re.compile(
    rf"(https?://|ssh://([a-z_][a-z0-9_-]*@)?)(?P<host>{_DOMAIN.pattern}|[0-9.]+)(:[0-9]{{1,5}})?/(?P<path>\S+)"
    rf"|[a-z_][a-z0-9_-]*@({_DOMAIN.pattern}):(?P<scp>[^-/\s]\S*)",
)
_PATH = re.compile(r"[A-Za-z0-9._/-]+")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_CHANNEL_URL = re.compile(
    rf"https://({_DOMAIN.pattern}|localhost|[0-9.]+)(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/%?&=+,:@-]*)?"
    r"|http://(localhost|127(\.[0-9]{1,3}){3})(:[0-9]{1,5})?(/[A-Za-z0-9._~/%?&=+,:@-]*)?",
)
_TELEGRAM_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_URL_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_RESERVED_USERS = {"root", "daemon", "bin", "sys", "nobody", "docker", "www-data", "caddy", "sshd", "systemd-network"}
_PRIVATE = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


class Expected(ValueError):  # noqa: N818 - it names what was expected; the error is made of it
    """The value is not usable; the text says what was expected instead."""


def nearest(value: str, names: Iterable[str]) -> str:
    """Say which of `names` the value was probably meant to be, or nothing."""
    matches = difflib.get_close_matches(value, list(names), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]}?)" if matches else ""


def slug(value: str, kind: str, known: Iterable[str]) -> str:
    """Accept a slug of the catalogue."""
    names = list(known)
    if value in names:
        return value
    raise Expected(f"a {kind} that DigitalOcean has{nearest(value, names)}")


def domain(value: str) -> str:
    """Accept a host name with at least two labels, in lower case, ASCII."""
    if len(value) <= DOMAIN_LIMIT and _DOMAIN.fullmatch(value):
        return value
    raise Expected("a domain name in lower-case ASCII, such as staging.example.org")


def email(value: str) -> str:
    """Accept a plain mail address."""
    if _EMAIL.fullmatch(value):
        return value
    raise Expected("a mail address, such as ops@example.org")


def git_url(value: str) -> str:
    """Accept https, http, ssh and user@host:path; nothing that runs a helper or reads the controller's disk."""
    match = _GIT_URL.fullmatch(value)
    path = (match.group("path") or match.group("scp")) if match else None
    if path and ".." not in path.split("/") and not set(path) & set("\"'`$;&|<>\\*?"):
        return value
    raise Expected("a git address by https, ssh or http, without credentials in it")


def git_branch(value: str) -> str:
    """Accept what `git check-ref-format` does, without the exotic."""
    parts = value.split("/")
    ends_badly = value.endswith((".", "/", ".lock")) or any(part.startswith(".") or not part for part in parts)
    if _REF.fullmatch(value) and ".." not in value and not ends_badly and len(value) <= DOMAIN_LIMIT:
        return value
    raise Expected("a branch name")


def git_commit(value: str) -> str:
    """Accept a whole commit id."""
    if _COMMIT.fullmatch(value):
        return value
    raise Expected("a commit id of 40 lower-case hex digits")


def network_range(value: str) -> str:
    """Accept a private IPv4 range that a VPC can have (/16 to /28)."""
    try:
        network = ipaddress.IPv4Network(value, strict=True)
    except ValueError:
        network = None
    if (
        network
        and "/" in value
        and 16 <= network.prefixlen <= 28  # noqa: PLR2004 - the limits that the API states
        and any(network.subnet_of(private) for private in _PRIVATE if isinstance(private, ipaddress.IPv4Network))
    ):
        return value
    raise Expected("a private IPv4 range from /16 to /28 without host bits, such as 10.20.0.0/24")


def public_address(value: str) -> str:
    """Accept one IPv4 address."""
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        address = None
    if address and not (address.is_multicast or address.is_unspecified or address.is_link_local):
        return value
    raise Expected("an IPv4 address")


def system_user(value: str) -> str:
    """Accept the name of a user that is not the system's own."""
    if _USER.fullmatch(value) and value not in _RESERVED_USERS:
        return value
    raise Expected("a user name of its own (lower case, at most 32 characters, not the system's)")


def compose_project(value: str) -> str:
    """Accept a compose project name."""
    if len(value) <= NAME_LIMIT and _PROJECT.fullmatch(value):
        return value
    raise Expected("a compose project name: lower-case letters, digits, - and _, at most 63")


def relative_path(value: str) -> str:
    """Accept a path below a directory: no way up, no blank, nothing a shell would read."""
    plain = _PATH.fullmatch(value) and len(value) <= PATH_LIMIT
    if (
        plain
        and not value.startswith(("/", "-"))
        and posixpath.normpath(value) == value
        and value.split("/", maxsplit=1)[0] != ".."
    ):
        return value
    raise Expected("a path below the directory: no way up (..), no blanks, no leading / or -")


def source_network(value: str) -> str:
    """Accept an address, or a network in CIDR notation, that connections come from."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise Expected("an address or a network, such as 203.0.113.7 or 203.0.113.0/24") from None
    return value


def home_directory(value: str, user: str) -> str:
    """Accept a directory below the user's home."""
    plain = _PATH.fullmatch(value) and len(value) <= PATH_LIMIT and posixpath.normpath(value) == value
    if plain and value.startswith(f"/home/{user}/"):
        return value
    raise Expected(f"a directory below /home/{user}/")


def route_path(value: str) -> str:
    """Accept a proxy route: a path, with * at most at its end."""
    if _URL_PATH.fullmatch(value.removesuffix("*")):
        return value
    raise Expected("a path such as /admin* or /*")


def request_path(value: str) -> str:
    """Accept the path of a request."""
    if _URL_PATH.fullmatch(value):
        return value
    raise Expected("a path such as /health")


def channel_url(value: str) -> str:
    """Accept where escalations are sent to: https, or http on this machine; no credentials."""
    if len(value) <= PATH_LIMIT and _CHANNEL_URL.fullmatch(value):
        return value
    raise Expected("an https address without credentials, such as https://hooks.example.org/greenroom")


def telegram_chat(value: str) -> str:
    """Accept the number of a chat, or a public channel's name."""
    if _TELEGRAM_CHAT.fullmatch(value):
        return value
    raise Expected('the number of a chat in quotes, such as "-1001234567890", or a channel such as @ops_alerts')


def secret_name(value: str) -> str:
    """Accept the name of a declared secret."""
    if _SECRET_NAME.fullmatch(value):
        return value
    raise Expected("the name of a secret under secrets, such as ESCALATION_KEY")
