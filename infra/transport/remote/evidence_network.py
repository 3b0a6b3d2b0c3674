"""What a visitor meets: names, the certificate, the proxy and its configuration, and the answers behind it."""

from __future__ import annotations

__all__ = ["certificate_section", "dns_section", "http_section", "proxy_section"]

import base64
import http.client
import json
import re
import socket
import ssl
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from infra.transport.remote.processes import run
from infra.transport.remote.proxy_state import told_configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 2.5
_CADDYFILE = "/etc/caddy/Caddyfile"
_COMMON_PATHS = ("/health", "/healthz", "/")


def dns_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell how this host resolves the public name and the repository's host, and whether the latter can be reached."""
    place = urllib.parse.urlsplit(probe["repository"])
    port = place.port or {"http": 80, "https": 443, "ssh": 22}.get(place.scheme, 443)
    with ThreadPoolExecutor(max_workers=2) as pool:
        domain = pool.submit(_resolved, probe["domain"])
        repository = pool.submit(_reached, place.hostname or "", port)
        hosts = {"domain": domain.result(), "repository": repository.result()}
    try:
        with open("/etc/resolv.conf", encoding="utf-8") as stream:
            servers = re.findall(r"^nameserver\s+(\S{1,64})", stream.read(), re.MULTILINE)
    except OSError:
        servers = []
    return {**hosts, "resolvers": servers}


def certificate_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Return the certificate that is served for the public name (DER, base64) and OpenSSL's verdict on it.

    `verify_code` is X509_V_ERR_…: 0 good, 9 not yet valid, 10 expired, 62 another name.
    """
    domain = probe["domain"]
    loose = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
    fact: dict[str, Any] = {"served": False, "der": "", "error": "", "verify_code": 0, "verify_error": "", "now": 0}
    fact["now"] = int(time.time())
    try:
        fact["der"] = base64.b64encode(_handshake(domain, loose)).decode()
        fact["served"] = True
        strict = ssl.create_default_context(cadata=probe["authority"] or None)
        strict.verify_flags &= ~ssl.VERIFY_X509_STRICT  # newer Pythons refuse what every visitor takes
        _handshake(domain, strict)
    except ssl.SSLCertVerificationError as error:
        fact["verify_code"], fact["verify_error"] = error.verify_code, error.verify_message
    except (OSError, ssl.SSLError) as error:
        fact["error"] = f"{type(error).__name__}: {error}"
    return fact


def proxy_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Compare the configuration that the proxy runs with what its file says, both as its own JSON."""
    del probe
    adapted = run(["caddy", "adapt", "--config", _CADDYFILE, "--adapter", "caddyfile"], timeout_s=PATIENCE_S)
    fact: dict[str, Any] = {"file": _CADDYFILE, "adapt_status": adapted.exit_status, "running": False, "differs": False}
    fact["error"] = adapted.stderr.strip() if adapted.exit_status else ""
    try:
        running = told_configuration(PATIENCE_S)
    except (OSError, ValueError) as error:
        return {**fact, "admin_error": f"{type(error).__name__}: {error}"}
    differs = adapted.exit_status == 0 and json.loads(adapted.stdout) != running
    return {**fact, "running": True, "differs": differs, "admin_error": ""}


def http_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Ask through the proxy, and ask each loopback port itself: status 0 and a reason where there is no answer.

    Of a port the paths are its route's own, those that have to be healthy, and those that health checks mostly ask.
    """
    paths: list[str] = probe["health_paths"]
    ports: dict[str, list[str]] = {}
    for route, port in probe["routes"].items():
        ports.setdefault(str(int(port)), []).append(re.sub(r"\*.*", "", route))
    asked = [("", 0, path) for path in paths]
    for port, prefixes in ports.items():
        own = [*prefixes, *(f"{each.rstrip('/')}/" for each in prefixes)]
        wanted = dict.fromkeys([*own, *(paths if "/" in prefixes else ()), *_COMMON_PATHS])
        asked += [(port, int(port), path) for path in wanted]
    with ThreadPoolExecutor(max_workers=16) as pool:
        names = [probe["domain"]] * len(asked)
        answers = list(pool.map(_asked, names, [each[1] for each in asked], [each[2] for each in asked]))
    fact: dict[str, Any] = {"public": {}, "ports": {port: {} for port in ports}}
    for (port, _, path), answer in zip(asked, answers, strict=True):
        (fact["ports"][port] if port else fact["public"])[path] = answer
    return fact


def _resolved(name: str) -> dict[str, Any]:
    try:
        found = sorted({str(each[4][0]) for each in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)})
    except (OSError, UnicodeError) as error:
        return {"name": name, "addresses": [], "error": str(error)}
    return {"name": name, "addresses": found, "error": ""}


def _reached(name: str, port: int) -> dict[str, Any]:
    fact = {**_resolved(name), "port": port, "connects": False}
    if not fact["error"]:
        try:
            socket.create_connection((name, port), PATIENCE_S).close()
            fact["connects"] = True
        except OSError as error:
            fact["error"] = f"{type(error).__name__}: {error}"
    return fact


def _handshake(domain: str, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", 443), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=domain) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def _asked(domain: str, port: int, path: str) -> dict[str, Any]:
    """GET one path; the certificate is looked at elsewhere, so none is verified here."""
    if port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = _Served(domain, context)
    began = time.monotonic()
    try:
        connection.request("GET", path or "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        kind = "refused" if isinstance(error, ConnectionRefusedError) else "silent"
        return {"status": 0, "kind": kind, "reason": f"{type(error).__name__}: {error}", "body": "", "milliseconds": 0}
    finally:
        connection.close()
    shown = body.decode(errors="replace") if answer.status >= 400 else ""  # noqa: PLR2004 (HTTP's errors)
    elapsed = round((time.monotonic() - began) * 1000)
    return {"status": answer.status, "kind": "answer", "reason": answer.reason, "body": shown, "milliseconds": elapsed}


class _Served(http.client.HTTPSConnection):
    """Connects to this host's own proxy, whatever the public name resolves to."""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, timeout=PATIENCE_S, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", 443), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
