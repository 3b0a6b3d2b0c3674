"""One POST to a channel: tried again where that can help, within a deadline, and never with its address in an error.

This is the one layer that tries again. A server that is busy (429, with its Retry-After) or broken (5xx), and a
network that fails, are asked once more after a capped, fully jittered pause (Brooker, "Exponential Backoff And
Jitter", AWS 2015); any other refusal is final, as is a certificate that can't be verified. The standard library's
client is used because it follows no redirect and writes no address to any log: Telegram's holds the bot's token.
"""

from __future__ import annotations

__all__ = ["DEADLINE_S", "Answer", "ChannelError", "Request", "deliver", "retry_after"]

import base64
import http.client
import ipaddress
import queue
import random
import ssl
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from infra.errors import GreenroomError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEADLINE_S = 10.0
"""For all tries and pauses together: an escalation must not hold up the healer."""
TRIES = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
ANSWER_BYTES = 65_536
BUSY, BROKEN = 429, 500


class ChannelError(GreenroomError):
    """A channel did not take an escalation: which host, and why. Neither its path nor a secret is in it."""


@dataclass(frozen=True)
class Request:
    """What is sent. The address may hold a secret, so nothing prints it."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def host(self) -> str:
        """The part of the address that may be told."""
        return urllib.parse.urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether the request was accepted."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110, section 15.3

    @property
    def is_passing(self) -> bool:
        """Whether asking again can help."""
        return self.status == BUSY or self.status >= BROKEN


def deliver(
    request: Request,
    *,
    deadline_s: float = DEADLINE_S,
    asked: Callable[[Answer], float | None] | None = None,
    jitter: Callable[[], float] = random.random,
) -> Answer:
    """Send the request until it is accepted or finally refused; returns the last answer.

    `asked` reads how many seconds the server wants to be left alone, `retry_after` by default. Raises ChannelError
    where no answer came within the deadline.
    """
    ends, answer, reason = time.monotonic() + deadline_s, None, "no answer"
    for number in range(TRIES):
        left = ends - time.monotonic()
        if left <= 0:
            break
        try:
            answer = _within(left, lambda left=left: _send(request, left))
            reason = ""
            if not answer.is_passing:
                return answer
        except ssl.SSLCertVerificationError as error:
            raise ChannelError(f"{request.host}: its certificate was refused: {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            answer, reason = None, _words(error)
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**number) * jitter()
        wanted = (asked or retry_after)(answer) if answer else None
        pause = max(pause, wanted or 0.0)
        if number + 1 == TRIES or time.monotonic() + pause >= ends:
            break
        time.sleep(pause)
    if answer is None:
        raise ChannelError(f"{request.host}: {reason}, within {deadline_s:g} s")
    return answer


def retry_after(answer: Answer) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3): seconds, or a date; None where there is none that makes sense."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """Give a call at most so long: a socket's timeout begins anew with each byte, and resolving a name knows none."""
    done: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(call())
        except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits for it
            done.put(error)

    threading.Thread(target=run, name="escalation", daemon=True).start()
    try:
        outcome = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _send(request: Request, timeout_s: float) -> Answer:
    parts = urllib.parse.urlsplit(request.url)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    connection = _connect(parts, timeout_s)
    try:
        connection.request("POST", target, request.body, dict(request.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read(ANSWER_BYTES))
    finally:
        connection.close()


def _connect(parts: urllib.parse.SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    """Connect to the host, through the proxy that the environment names; plain HTTP is for this machine alone."""
    host = parts.hostname or ""
    if parts.scheme != "https":
        if not _is_here(host):
            raise ChannelError(f"{host}: not over https")
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    context = ssl.create_default_context()
    proxy = "" if _is_here(host) or urllib.request.proxy_bypass(host) else urllib.request.getproxies().get("https", "")
    if not proxy:
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    through = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = http.client.HTTPSConnection(through.hostname or "", through.port, timeout=timeout_s, context=context)
    user = (
        f"{urllib.parse.unquote(through.username)}:{urllib.parse.unquote(through.password or '')}"
        if through.username
        else ""
    )
    login = {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    connection.set_tunnel(host, parts.port or http.client.HTTPS_PORT, login)
    return connection


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: Exception) -> str:
    """Say why there was no answer; an error's own text may hold the address."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return "the connection was cut"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror.lower() if strerror else "the connection failed"
