"""Health as a visitor sees it: HTTPS through the proxy on this host, the certificate verified for the public name."""

from __future__ import annotations

__all__ = ["await_http_act", "http_fact"]

import socket
import ssl
import time

from infra.transport.remote.asking import Conversation
from infra.transport.remote.report import ActFailure
from infra.transport.remote.threads import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

_POLL_S = 0.2
_PATIENCE_S = 5.0
_IN_TURN_S = 0.3
"""How long one connection is asked after another path; a handshake costs both ends more than most answers."""
_AT_ONCE = 8
_OK = 200
_SHOWN = 300
_MOST_BYTES = 1 << 16


def http_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """GET each path; status 0 and a reason where there is no answer.

    One connection is asked as long as answers come quickly; whatever is left then is asked side by side.
    """
    context, paths = _context(probe), list(probe["paths"])
    answers = _in_turn(probe, context, paths)
    left = [path for path in paths if path not in answers]
    answers |= zip(left, side_by_side(lambda path: _get(probe, context, path), left, at_once=_AT_ONCE), strict=True)
    return {path: answers[path] for path in paths}


def await_http_act(act: dict[str, Any], report: Reporter) -> None:
    """Ask until every path answers 200, or the deadline passes; the last answers are the evidence."""
    deadline = time.monotonic() + float(act["timeout_s"])
    context, waiting = _context(act), list(act["paths"])
    answers: dict[str, dict[str, Any]] = {}
    while waiting:
        for path in list(waiting):
            answers[path] = _get(act, context, path)
            if answers[path]["status"] == _OK:
                waiting.remove(path)
                report.say(f"https://{act['domain']}{path} answers 200 ({answers[path]['milliseconds']} ms)")
        if waiting and time.monotonic() > deadline:
            lines = [f"{path}: {each['status']} {each['reason']} {each['body']}" for path, each in answers.items()]
            command = f"curl -fsS --resolve {act['domain']}:443:127.0.0.1 https://{act['domain']}{waiting[0]}"
            raise ActFailure("HEALTH_TIMEOUT", command, None, "\n".join(lines), command)
        time.sleep(_POLL_S if waiting else 0)


def _in_turn(probe: dict[str, Any], context: ssl.SSLContext, paths: list[str]) -> dict[str, Any]:
    """Ask one connection for path after path, while it stands and there is time.

    A request that fails on a connection that has answered before tells nothing of its path: servers close them at will.
    """
    answers: dict[str, Any] = {}
    until = time.monotonic() + _IN_TURN_S
    try:
        with _connected(probe, context) as proxy:
            for path in paths:
                answers[path], may_go_on = _asked(proxy, path)
                if not may_go_on or time.monotonic() > until:
                    break
    except OSError as error:
        if not answers and paths:
            answers[paths[0]] = _silent(error)
    return answers


def _get(probe: dict[str, Any], context: ssl.SSLContext, path: str) -> dict[str, Any]:
    """Ask for one path on a connection of its own."""
    try:
        with _connected(probe, context) as proxy:
            return _asked(proxy, path)[0]
    except OSError as error:
        return _silent(error)


def _context(probe: dict[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=probe.get("authority") or None)


def _connected(probe: dict[str, Any], context: ssl.SSLContext) -> Conversation:
    """Connect to this host, whatever the name resolves to elsewhere; TLS is for the name."""
    name: str = probe["domain"]
    plain = socket.socket()
    try:
        plain.settimeout(_PATIENCE_S)
        plain.connect(("127.0.0.1", int(probe.get("port", 443))))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a request waits for a late acknowledgement
        # As bytes: for a text Python loads the tables of international names.
        return Conversation(context.wrap_socket(plain, server_hostname=name.encode("ascii")), name)
    except BaseException:
        plain.close()
        raise


def _asked(proxy: Conversation, path: str) -> tuple[dict[str, Any], bool]:
    """Return the answer, and whether the connection can be asked again."""
    started = time.monotonic()
    answer = proxy.ask("GET", path, limit_bytes=_MOST_BYTES, keep_alive=True)
    shown = "" if answer.status == _OK else answer.body[:_SHOWN].decode(errors="replace")
    elapsed = round((time.monotonic() - started) * 1000)
    told = {"status": answer.status, "reason": answer.reason, "body": shown, "milliseconds": elapsed}
    return told, answer.may_go_on


def _silent(error: OSError) -> dict[str, Any]:
    return {"status": 0, "reason": f"{type(error).__name__}: {error}", "body": "", "milliseconds": 0}
