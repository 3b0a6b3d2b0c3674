"""An incident as a JSON document: schema `greenroom/incident/1`, described in docs/schemas/incident-1.json.

Beside the incident itself the document holds what others would have to work out: each match's title and next steps
with its details filled in, and the metrics. Every text in it is masked like all that leaves the process. A document is
written whole or not at all, into a directory of its own that later pages and an escalation join.
"""

from __future__ import annotations

__all__ = ["FILE", "INCIDENTS", "SCHEMA", "DamagedIncidentError", "document_of", "incident_of", "read", "write"]

import json
import re
from typing import TYPE_CHECKING, Any, cast

from infra.durable import save
from infra.errors import GreenroomError
from infra.healing.incident import Incident
from infra.healing.metrics import metrics_of
from infra.healing.plain import ShapeError, from_plain, to_plain
from infra.healing.wording import next_steps_of, title_of
from infra.redaction import PROCESS, Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.healing.model import Match

SCHEMA = "greenroom/incident/1"
INCIDENTS = "incidents"
"""The directory of a stack's incidents, inside the stack's own."""
FILE = "incident.json"
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
"""An id is the name of a directory, and of a link to it."""
LIMIT_BYTES = 16 * 1024 * 1024
"""Evidence is bounded to some hundred KiB; a larger file was not written here."""


class DamagedIncidentError(GreenroomError):
    """An incident's file can't be read: which one, and what is wrong with it."""

    def __init__(self, path: Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path}: damaged: {why}", hint=f"ls -l {path.parent}")


def document_of(incident: Incident, redactor: Redactor = PROCESS) -> dict[str, Any]:
    """Return the incident as plain JSON values, masked."""
    plain = to_plain(incident)
    for attempt, written in zip(incident.attempts, plain["attempts"], strict=True):
        if attempt.match is not None:
            _explain(attempt.match, written["match"])
        for match, each in zip(attempt.others, written["others"], strict=True):
            _explain(match, each)
    for match, written in zip(incident.remaining, plain["remaining"], strict=True):
        _explain(match, written)
    return redactor.mask_all({"schema": SCHEMA, **plain, "metrics": to_plain(metrics_of(incident))})


def incident_of(document: Any) -> Incident:
    """Return the incident of a document; raises ShapeError naming the place that is wrong."""
    if not isinstance(document, dict):
        raise ShapeError("", "an object")
    schema = cast("dict[str, Any]", document).get("schema")
    if schema != SCHEMA:
        raise ShapeError("schema", f"{SCHEMA}; another version of Greenroom wrote this")
    incident: Incident = from_plain(Incident, document)
    if not IDENTIFIER.fullmatch(incident.id):
        raise ShapeError("id", "letters, digits and inner dashes")
    return incident


def write(incident: Incident, incidents: Path) -> Path:
    """Write the document to `incidents`/ID/incident.json, for the owner's eyes only; gives that directory back.

    Written beside its place and moved there, so that a reader or a cut never meets half a document.
    """
    if not IDENTIFIER.fullmatch(incident.id):
        raise ShapeError("id", "letters, digits and inner dashes")
    directory = incidents / incident.id
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(directory / FILE, json.dumps(document_of(incident), indent=2, ensure_ascii=False) + "\n")
    return directory


def read(path: Path) -> Incident:
    """Read an incident from its file, or from its directory; raises DamagedIncidentError."""
    file = path / FILE if path.is_dir() else path
    try:
        if file.stat().st_size > LIMIT_BYTES:
            raise DamagedIncidentError(file, f"larger than {LIMIT_BYTES} bytes")
        return incident_of(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise DamagedIncidentError(file, error.strerror or "unreadable") from None
    except (ValueError, RecursionError) as error:
        raise DamagedIncidentError(file, str(error)) from None


def _explain(match: Match, written: Mapping[str, Any]) -> None:
    """Add what a reader would have to fill in."""
    cast("dict[str, Any]", written).update(
        fingerprint=match.fingerprint, title=title_of(match), next_steps=list(next_steps_of(match))
    )
