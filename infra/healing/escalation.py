"""Hands an incident to people: to a file always, then to each channel that the settings name, to each of them once.

The file is written first, so that no channel that fails can lose an escalation; the failure becomes a line of the
incident. What was sent is marked beside the incident, so that asking again sends only what has not arrived yet. A cut
between sending and marking sends once more: told twice is better than not at all, and a webhook's id tells.
"""

from __future__ import annotations

__all__ = ["SENT", "Channel", "escalate"]

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from infra.durable import save
from infra.errors import GreenroomError
from infra.healing.channels.file import ESCALATION, write_escalation
from infra.healing.incident import Incident, Moment
from infra.healing.notice import notice_of
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.healing.notice import Notice

SENT = "escalation.json"
SCHEMA = "greenroom/sent/1"


class Channel(Protocol):
    """A way to people."""

    def send(self, notice: Notice) -> None:
        """Send the escalation; raises GreenroomError where it was not accepted."""
        ...


def escalate(incident: Incident, directory: Path, channels: Mapping[str, Callable[[], Channel]]) -> Incident:
    """Tell people of an incident that is left to them; returns it with what became of that in its timeline.

    `channels` makes each channel by its name when it is needed: one whose secret can't be had fails like one that
    does not answer. Raises OSError where not even the file can be written.
    """
    notice = notice_of(incident)
    if notice is None:
        return incident
    path = write_escalation(notice, directory)
    roles = ", ".join(sorted({ask.role for ask in notice.asks}))
    moments = [] if ESCALATION in incident.artifacts else [_moment(f"asked: {roles}; {path.name}")]
    sent = _sent(directory)
    for name, make in channels.items():
        if name in sent:
            continue
        began = time.monotonic()
        try:
            make().send(notice)
        except GreenroomError as error:
            moments.append(_moment(f"{name}: not sent: {PROCESS.mask(error.message)}", time.monotonic() - began))
            continue
        moments.append(_moment(f"{name}: sent", time.monotonic() - began))
        sent[name] = moments[-1].at
        save(directory / SENT, json.dumps({"schema": SCHEMA, "sent": sent}, indent=2) + "\n")
    artifacts = (*(each for each in incident.artifacts if each != ESCALATION), ESCALATION)
    return replace(incident, timeline=(*incident.timeline, *moments), artifacts=artifacts)


def _sent(directory: Path) -> dict[str, Any]:
    """Read which channels have had it; a damaged mark counts as none: told twice is better than not at all."""
    try:
        mark = json.loads((directory / SENT).read_text(encoding="utf-8"))
        return dict(cast("dict[str, Any]", mark["sent"]))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _moment(text: str, seconds: float = 0.0) -> Moment:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Moment(now, "escalated", text, round(seconds, 3))
