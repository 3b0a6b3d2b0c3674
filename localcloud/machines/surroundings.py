"""What this machine needs of its surroundings, so that droplets and the containers in them can live on it too.

Extra certificate authorities, package registries and proxies, resolvers, and the size of a packet: all found by
looking, none configured. Addresses that carry credentials are left out: nothing secret goes into an image.
"""

from __future__ import annotations

__all__ = ["BUNDLE", "Surroundings", "observe"]

import configparser
import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_SHIPPED = Path("/usr/share/ca-certificates")
_ADDED = Path("/usr/local/share/ca-certificates")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_STORES = ("PIP_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
_REGISTRIES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "NPM_CONFIG_REGISTRY", "UV_INDEX_URL")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_INSIDE = "localhost,127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.greenroom.test"


@dataclass(frozen=True)
class Surroundings:
    """What images and droplets take over from this machine."""

    authorities: tuple[str, ...] = ()
    """Certificate authorities (PEM) that this machine trusts beyond its distribution's own."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    resolvers: tuple[str, ...] = ()
    mtu: int = 1500


def observe(environ: Mapping[str, str] = os.environ) -> Surroundings:
    """Look at this machine."""
    authorities = _extra_authorities(Path(environ.get("SSL_CERT_FILE") or BUNDLE))
    return Surroundings(
        authorities=authorities,
        environment=_environment(environ, trust=bool(authorities)),
        resolvers=_resolvers(),
        mtu=_mtu(),
    )


def _certificates(path: Path) -> set[str]:
    try:
        return set(_PEM.findall(path.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return set()


def _extra_authorities(bundle: Path) -> tuple[str, ...]:
    shipped: set[str] = set()
    for path in _SHIPPED.rglob("*.crt"):
        shipped |= _certificates(path)
    added: set[str] = set()
    for path in _ADDED.rglob("*.crt"):
        added |= _certificates(path)
    trusted = _certificates(bundle) if shipped else set[str]()
    return tuple(sorted((trusted | added) - shipped))


def _environment(environ: Mapping[str, str], *, trust: bool) -> dict[str, str]:
    found = dict.fromkeys(_STORES, BUNDLE) if trust else {}
    registries = {name: environ.get(name, "") for name in _REGISTRIES}
    registries["PIP_INDEX_URL"] = registries["PIP_INDEX_URL"] or _pip_index(environ)
    proxies = {name: environ.get(name, "") for name in _PROXIES}
    found |= {name: value for name, value in (registries | proxies).items() if value and not _has_credentials(value)}
    if any(name in found for name in _PROXIES):
        inside = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), _INSIDE]))
        found |= {"NO_PROXY": inside, "no_proxy": inside}
    return found


def _has_credentials(value: str) -> bool:
    return any("@" in urlsplit(word).netloc for word in value.split())


def _pip_index(environ: Mapping[str, str]) -> str:
    """Return the package index of pip's configuration files, the most specific one (asking pip takes a second)."""
    home = Path(environ.get("HOME", "/"))
    paths = ["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf", environ.get("PIP_CONFIG_FILE", "")]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read([path for path in paths if path], encoding="utf-8")
    except configparser.Error:
        return ""
    return parser.get("global", "index-url", fallback="")


def _nameservers(path: str) -> Iterator[str]:
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            yield words[1]


def _resolvers() -> tuple[str, ...]:
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        usable = [server for server in _nameservers(path) if _is_reachable_resolver(server)]
        if usable:
            return tuple(usable)
    return ()


def _is_reachable_resolver(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback  # noqa: PLR2004 - droplets have IPv4 only


def _mtu() -> int:
    """Return the smallest packet size of the interfaces that hold a default route."""
    try:
        routes = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return 1500
    devices = {line.split()[0] for line in routes if line.split()[1] == "00000000"}
    sizes = [int(Path(f"/sys/class/net/{device}/mtu").read_text(encoding="ascii")) for device in devices]
    return min([1500, *sizes])
