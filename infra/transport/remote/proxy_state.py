"""How the proxy is: whether it answers, what it runs with, what its file says, and which certificate it serves.

A certificate is judged by a handshake that verifies it, as every visitor does; verification is never turned off.
"""

from __future__ import annotations

__all__ = [
    "CERTIFICATES",
    "Served",
    "answers",
    "file_configuration",
    "proxy_fact",
    "running_configuration",
    "told_configuration",
    "trusted",
]

import hashlib
import json
import os
import re
import socket
import ssl

from infra.transport.remote.asking import Conversation, unix_socket
from infra.transport.remote.processes import Finished, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOME = "/var/lib/caddy"
_SOCKET = f"{_HOME}/admin.sock"
_DATA = f"{_HOME}/.local/share/caddy"
_AUTHORITY = f"{_DATA}/pki/authorities/local/root.crt"
CERTIFICATES = f"{_DATA}/certificates"
_FILE = "/etc/caddy/Caddyfile"
_DOMAIN = r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+"
_VERDICTS = {9: "early", 10: "expired", 62: "other-name"}
"""OpenSSL's verify codes (X509_V_ERR_…); every other one means that nobody who is trusted has signed it."""
_NO_CERTIFICATE = ("TLSV1_ALERT_INTERNAL_ERROR", "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_UNRECOGNIZED_NAME")
_TIMEOUT_S = 2.0
_OK = 200


class Served:
    """What a handshake came to: good, expired, early, other-name, untrusted, none (no certificate), or silent.

    `until` tells when a good one ends, as the certificate says it.
    """

    def __init__(self, verdict: str, text: str, until: str = "") -> None:
        self.verdict, self.text, self.until = verdict, text, until


def proxy_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell what the proxy runs with, by digest (empty where it does not answer), and whether its file says otherwise.

    The file is only read by the proxy where what runs is not as `recorded`: that takes longer than the rest of a look.
    """
    running = running_configuration()
    if running is None:
        return {"running": "", "stale": False}
    digest = hashlib.sha256(json.dumps(running, sort_keys=True).encode()).hexdigest()
    if digest == probe["recorded"]:
        return {"running": digest, "stale": False}
    adapted = _read_by("adapt")
    return {"running": digest, "stale": adapted.exit_status == 0 and json.loads(adapted.stdout) != running}


def answers() -> bool:
    """Whether the proxy answers on its socket: a process that was stopped in its tracks does not."""
    return running_configuration() is not None


def running_configuration() -> Any:
    """Return what the proxy runs with; None where it does not answer."""
    try:
        return told_configuration(_TIMEOUT_S)
    except (OSError, ValueError):
        return None


def told_configuration(timeout_s: float) -> Any:
    """Ask the proxy what it runs with. OSError where it does not answer, ValueError where that is no configuration."""
    with Conversation(unix_socket(_SOCKET, timeout_s), host="") as proxy:  # it knows itself by no name
        answer = proxy.ask("GET", "/config/")
    if answer.status != _OK:
        raise ValueError(f"status {answer.status} {answer.reason}")
    return json.loads(answer.body)


def file_configuration() -> tuple[Any, str]:
    """Return what the proxy's file says, and why it can't be taken; the proxy itself judges it, as its own user."""
    checked = _read_by("validate")
    if checked.exit_status != 0:
        told = [line for line in checked.printed.splitlines() if line]
        return None, told[-1][:500] if told else "no answer"
    return json.loads(_read_by("adapt").stdout), ""


def _read_by(verb: str) -> Finished:
    """Have the proxy's own program read its file, as the proxy's user."""
    return run(["caddy", verb, "--config", _FILE, "--adapter", "caddyfile"], user="caddy", timeout_s=30.0)


def trusted(domain: str, port: int = 443) -> Served:
    """Shake hands for a name as a visitor would, with this host, and tell what became of it."""
    if not re.fullmatch(_DOMAIN, domain):
        return Served("untrusted", f"{domain[:60]!r} is no name")
    context = ssl.create_default_context()
    if os.path.exists(_AUTHORITY):  # noqa: PTH110
        context.load_verify_locations(_AUTHORITY)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=domain) as secured,
        ):
            until = str((secured.getpeercert() or {}).get("notAfter", ""))
            return Served("good", f"valid until {until}", until)
    except ssl.SSLCertVerificationError as error:
        return Served(_VERDICTS.get(error.verify_code, "untrusted"), error.verify_message)
    except ssl.SSLError as error:
        verdict = "none" if any(word in str(error) for word in _NO_CERTIFICATE) else "silent"
        return Served(verdict, f"no handshake: {error.reason or error}")
    except OSError as error:
        return Served("silent", f"no answer: {error}")
