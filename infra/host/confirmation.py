"""Confirming a guarded change: a connection made after it, or the host takes it back and the run fails with the reason.

The connection that the change went over proves nothing: it is older than the new rules. So a second one is opened,
and only over that one the host is told to keep the change.
"""

from __future__ import annotations

__all__ = ["HOME", "confirm"]

import time
from typing import TYPE_CHECKING

from infra.errors import AuthenticationError, StepError, UnreachableError
from infra.transport import say

if TYPE_CHECKING:
    from infra.transport import Endpoint
    from infra.transport.link import Link

HOME = "/var/lib/greenroom/access"
ATTEMPT_S = 5.0
PAUSE_S = 1.0
GRACE_S = 30.0
"""How long after its deadline the host may take to put everything back."""


def confirm(endpoint: Endpoint, change: str, within_s: float) -> None:
    """Get in anew and keep the change.

    Raises StepError LOCKOUT_AVERTED once the host has taken the change back, with what it says of that as evidence;
    UnreachableError when it does not let us in even then.
    """
    began = time.monotonic()
    reason = "no time was left"
    try:
        link = _open(endpoint, began + within_s)
    except (UnreachableError, AuthenticationError) as error:
        reason = error.message.splitlines()[0]
    else:
        try:
            kept = link.run(["sh", f"{HOME}/pending-{change}/confirm"], timeout_s=ATTEMPT_S)
        except UnreachableError as error:
            reason = error.message.splitlines()[0]
        else:
            if kept.ok:
                return
            reason = "the change was undone before it could be confirmed"
        finally:
            link.close()
    say("hardening", f"no way in after the change; the host takes it back within {within_s:.0f} s")
    raise _averted(endpoint, change, reason, began + within_s + GRACE_S)


def _open(endpoint: Endpoint, deadline: float) -> Link:
    from infra.transport.link import Link  # noqa: PLC0415 (loads fabric)

    while True:
        try:
            return Link(endpoint, connect_timeout_s=ATTEMPT_S)
        except (UnreachableError, AuthenticationError):
            if time.monotonic() + PAUSE_S >= deadline:
                raise
        time.sleep(PAUSE_S)


def _averted(endpoint: Endpoint, change: str, reason: str, deadline: float) -> StepError:
    link = _open(endpoint, deadline)
    try:
        wait = 'for i in $(seq 600); do [ -s "$1" ] && exec cat "$1"; sleep 0.25; done'
        patience_s = max(ATTEMPT_S, deadline - time.monotonic())
        told = link.run(["sh", "-c", wait, "wait", f"{HOME}/undone-{change}/log"], timeout_s=patience_s)
    finally:
        link.close()
    return StepError(
        phase="hardening",
        host=str(endpoint),
        command="change sshd and the firewall",
        exit_status=None,
        evidence=f"{reason}\nundone on the host: {told.text.strip() or 'it left no record'}",
        code="LOCKOUT_AVERTED",
        hint=f"ssh {endpoint.user}@{endpoint.host} journalctl -u ssh -n 50",
    )
