"""One look at a stack that runs: the host by one question over the pinned connection, the public face through TLS."""

from __future__ import annotations

__all__ = ["Place", "look_at"]

import errno
import http.client
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.errors import GreenroomError
from infra.healing.detector import Look
from infra.ops.public import PublicClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.healing.hands import Host

HOST_S, PUBLIC_S = 8.0, 2.0
PUBLIC_AT_ONCE = 8
_OFFLINE = (errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class Place:
    """What a look has to know of a stack."""

    project: str
    domain: str
    address: str = ""
    """The public address; without it the public face is not looked at."""
    paths: tuple[str, ...] = ()
    """What has to answer 200 there."""
    authority: str = ""
    """The certificate of the stack's own authority, in PEM; empty where the system's authorities count."""


def look_at(place: Place, host: Callable[[], Host], *, at: float, wall: str, span_s: float) -> Look:
    """Look once; what does not answer is part of what was seen."""
    with ThreadPoolExecutor(1) as beside:
        public = beside.submit(_public, place)
        probe = {"kind": "vitals", "project": place.project, "domain": place.domain, "span_s": span_s}
        vitals: dict[str, Any] = {}
        unreachable, offline = "", False
        try:
            answer = host().call(subject="watch", phase="health", probes={"vitals": probe}, timeout_s=HOST_S)
            vitals = answer["vitals"]
        except GreenroomError as error:
            unreachable, offline = error.message.splitlines()[0][:200], _is_offline(error)
        return Look(at, wall, "", unreachable, offline, vitals, public.result())


def _public(place: Place) -> dict[str, int]:
    """Ask each path once, through TLS that is verified; 0 stands for no answer."""
    if not place.address or not place.paths:
        return {}

    def ask(path: str) -> int:
        client = PublicClient(place.domain, place.address, place.authority, timeout_s=PUBLIC_S)
        try:
            return client.request("GET", path).status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            client.close()

    with ThreadPoolExecutor(PUBLIC_AT_ONCE) as threads:
        return dict(zip(place.paths, threads.map(ask, place.paths), strict=True))


def _is_offline(error: GreenroomError) -> bool:
    """Whether a connection failed for want of a network on this side, as the system itself says."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OFFLINE:
            return True
        cause = cause.__cause__
    return False
