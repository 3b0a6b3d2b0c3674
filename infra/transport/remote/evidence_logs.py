"""What a container says and answers: the errors of its log with their age, its end, and its own health question."""

from __future__ import annotations

__all__ = ["check_answer", "held_values", "log_facts", "seconds_of"]

import calendar
import http.client
import re
import time

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.tracebacks import errors_in, marked_lines, unwrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BYTES = 512 * 1024
_SHOWN_LINES = 30
_RECENT_LINES, _RECENT = "400", 3
_EARLIER_S = 10
_PATIENCE_S = 2.0
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\S{0,16}Z ?")
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(/[^\s'\"|;)]{0,300})?")
_PORT_AND_PATH = re.compile(r"(\d{2,5}) (/[^\s'\"|;]{0,300})")


def log_facts(engine: Engine, inspected: dict[str, Any]) -> dict[str, Any]:
    """Return the first error since the last start (of one that restarts, of the run before too), and the log's end.

    `recent` are the last errors, whatever came before them: a service that runs for long has old ones too.
    """
    state, container = inspected["State"], inspected["Id"]
    try:
        since = seconds_of(state["StartedAt"])
        begun = _told(engine, container, since=f"{since:.0f}") if since else []
        if not _errors(begun, 1) and inspected["RestartCount"]:
            earlier = max(0.0, seconds_of(state["FinishedAt"]) - _EARLIER_S)
            begun = _told(engine, container, since=f"{earlier:.0f}")
        tail = _told(engine, container, tail=_RECENT_LINES)
    except EngineRefusal as refusal:
        return {"first_error": None, "recent": [], "marks": [], "log": [str(refusal)]}
    return {
        "first_error": next(iter(_errors(begun, 1)), None),
        "recent": _errors(tail, 40)[-_RECENT:],
        "marks": marked_lines(_text(begun)),
        "log": [line for _, line in tail[-_SHOWN_LINES:]],
    }


def check_answer(described: dict[str, Any]) -> dict[str, Any]:
    """Ask what a container's health check asks, from outside: where, and the status (0 where there is no answer).

    Only a check that names a port and a path is understood, and only a port that is published can be asked.
    """
    words = " ".join(str(word) for word in described["check"])[:2000]
    found = _URL.search(words) or _PORT_AND_PATH.search(words)
    if described["state"] != "running" or described["health"] == "healthy" or not found:
        return {}
    inside, path = found.group(1) or "80", found.group(2) or "/"
    ports = [way["port"] for way in described["published"] if way["inside"] == inside]
    return {"inside": inside, "path": path, "published": bool(ports), "status": _status(ports[0], path) if ports else 0}


def held_values(probe: dict[str, Any]) -> list[str]:
    """Return the values that the project's containers hold of the named secrets, to be masked; they stay here."""
    try:
        found = Engine(timeout_s=_PATIENCE_S).containers(probe["project"])
    except EngineRefusal:
        return []
    wanted = set(probe["secrets"])
    pairs = [entry.partition("=")[::2] for each in found for entry in each["Config"].get("Env") or []]
    return [value for name, value in pairs if name in wanted]


def seconds_of(stamp: str) -> float:
    """Return the engine's time (RFC 3339, UTC) in seconds since 1970; 0 for its year 1, which stands for never."""
    try:
        return max(0.0, float(calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))))
    except ValueError:
        return 0.0


def _told(engine: Engine, container: str, **query: str) -> list[tuple[str, str]]:
    """Return (when, line) of a part of a log."""
    rows: list[tuple[str, str]] = []
    for line in engine.log(container, _BYTES, timestamps="true", **query).splitlines():
        stamp = _STAMP.match(line)
        rows.append((stamp.group(1), line[stamp.end() :]) if stamp else ("", line))
    return rows


def _text(rows: list[tuple[str, str]]) -> str:
    return "\n".join(line for _, line in rows)


def _errors(rows: list[tuple[str, str]], most: int) -> list[dict[str, Any]]:
    """Return the errors with their age in seconds, in place of the numbers of their lines."""
    now = time.time()
    found: list[dict[str, Any]] = []
    rows = [(stamp, part) for stamp, line in rows for part in unwrapped(line)]
    for error in errors_in(_text(rows), most):
        at = seconds_of(rows[error["number"]][0])
        then = [{name: value for name, value in each.items() if name != "number"} for each in error["then"]]
        own = {name: value for name, value in error.items() if name != "number"}
        found.append({**own, "then": then, "age_s": round(now - at) if at else 0})
    return found


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        connection.close()
