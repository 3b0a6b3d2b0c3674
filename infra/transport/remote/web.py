"""Health as a visitor sees it: HTTPS through the proxy on this host, the certificate verified for the public name."""

from __future__ import annotations

__all__ = ["await_http_act", "http_fact"]

import http.client
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from infra.transport.remote.report import ActFailure

if TYPE_CHECKING:
    from infra.transport.remote.report import Reporter

_POLL_S = 0.2
_OK = 200
_SHOWN = 300


class _Connection(http.client.HTTPSConnection):
    """Connects to this host, whatever the name resolves to elsewhere; TLS is for the name."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext, timeout_s: float) -> None:
        super().__init__(name, port, timeout=timeout_s, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the request waits for a late acknowledgement
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def http_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """GET each path once; status 0 and a reason where there is no answer."""
    paths: list[str] = probe["paths"]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(paths, pool.map(_get, [probe] * len(paths), paths), strict=True))


def await_http_act(act: dict[str, Any], report: Reporter) -> None:
    """Ask until every path answers 200, or the deadline passes; the last answers are the evidence."""
    deadline = time.monotonic() + float(act["timeout_s"])
    waiting = list(act["paths"])
    answers: dict[str, dict[str, Any]] = {}
    while waiting:
        for path in list(waiting):
            answers[path] = _get(act, path)
            if answers[path]["status"] == _OK:
                waiting.remove(path)
                report.say(f"https://{act['domain']}{path} answers 200 ({answers[path]['milliseconds']} ms)")
        if waiting and time.monotonic() > deadline:
            lines = [f"{path}: {each['status']} {each['reason']} {each['body']}" for path, each in answers.items()]
            command = f"curl -fsS --resolve {act['domain']}:443:127.0.0.1 https://{act['domain']}{waiting[0]}"
            raise ActFailure("HEALTH_TIMEOUT", command, None, "\n".join(lines), command)
        time.sleep(_POLL_S if waiting else 0)


def _get(probe: dict[str, Any], path: str) -> dict[str, Any]:
    context = ssl.create_default_context(cadata=probe.get("authority") or None)
    connection = _Connection(probe["domain"], int(probe.get("port", 443)), context, 5.0)
    started = time.monotonic()
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "reason": f"{type(error).__name__}: {error}", "body": "", "milliseconds": 0}
    finally:
        connection.close()
    shown = "" if answer.status == _OK else body[:_SHOWN].decode(errors="replace")
    elapsed = round((time.monotonic() - started) * 1000)
    return {"status": answer.status, "reason": answer.reason, "body": shown, "milliseconds": elapsed}
