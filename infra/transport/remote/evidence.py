"""Everything that a diagnosis may look at, gathered in one request: bounded, redacted, and never kept waiting.

Each section has a thread and a deadline of its own, so a daemon or a name server that hangs costs a few seconds and is
itself a fact: the section then reads `{"unanswered": "no answer in 3 s"}`. What the sections hold is documented in
`infra.healing.evidence`, which asks for them.
"""

from __future__ import annotations

__all__ = ["evidence_fact"]

import json
import re
import threading
import time

from infra.transport.remote.evidence_containers import compose_section, containers_section, listeners_section
from infra.transport.remote.evidence_database import database_section, schema_section
from infra.transport.remote.evidence_logs import held_values
from infra.transport.remote.evidence_network import certificate_section, dns_section, http_section, proxy_section
from infra.transport.remote.evidence_source import directories_section, env_section, git_section
from infra.transport.remote.evidence_system import disk_section, kernel_section, memory_section, units_section
from infra.transport.remote.report import Redactor, parse_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEADLINE_S = 3.0
LIMIT_BYTES = 200_000
_LONGEST = 2000
_LIMITS = {"log": 400, "journal": 400, "output": 600, "body": 300}
_MOST = 60
_CREDENTIALS = re.compile(r"(?<=://)[^/\s:@]{1,256}:[^/\s@]{1,256}(?=@)")
_ESCAPES = re.compile(
    r"\x1b\[[0-9;?]{0,32}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]"
)

SECTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "certificate": certificate_section,
    "compose": compose_section,
    "containers": containers_section,
    "database": database_section,
    "directories": directories_section,
    "disk": disk_section,
    "dns": dns_section,
    "env": env_section,
    "git": git_section,
    "http": http_section,
    "kernel": kernel_section,
    "listeners": listeners_section,
    "memory": memory_section,
    "proxy": proxy_section,
    "schema": schema_section,
    "units": units_section,
}


def evidence_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Gather all sections side by side, each within the deadline; the secrets of env file and containers are masked."""
    known = _values_of(probe["env_file"], probe["secrets"])
    wanted: dict[str, Any] = {name: SECTIONS[name] for name in probe.get("sections") or SECTIONS}
    answers: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def answer(name: str, section: Callable[[dict[str, Any]], Any]) -> None:
        try:
            found = section(probe)
        except Exception as error:  # noqa: BLE001 (a section that fails is a fact, and spoils no other)
            found = {"unanswered": f"{type(error).__name__}: {error}"}
        answers[name], seconds[name] = found, round(time.monotonic() - began, 3)

    # The env file may hold other values by now than those that the containers were started with, and print.
    holders = threading.Thread(target=lambda: known.extend(held_values(probe)), daemon=True)
    holders.start()
    threads = {name: threading.Thread(target=answer, args=(name, each), daemon=True) for name, each in wanted.items()}
    for thread in threads.values():
        thread.start()
    for thread in (*threads.values(), holders):
        thread.join(max(0.0, began + DEADLINE_S - time.monotonic()))
    silent = {"unanswered": f"no answer in {DEADLINE_S:.0f} s"}
    redactor = Redactor(list(known))
    found = {name: _clean(answers.get(name, silent), redactor) for name in wanted}
    return {**_within(found), "seconds": dict(seconds)}


def _values_of(path: str, names: list[str]) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            pairs = parse_env(stream.read(1 << 20))
    except OSError:
        return []
    return [value for name, value in pairs if name in set(names)]


def _clean(value: Any, redactor: Redactor, limit: int = _LONGEST) -> Any:
    """Mask, then bound: a value that was cut in two would no longer be known. So nothing is cut before."""
    if isinstance(value, str):
        text = _ESCAPES.sub("", _CREDENTIALS.sub("[secret]", redactor.clean(value)))
        return text if len(text) <= limit else f"{text[:limit]}…"
    if isinstance(value, dict):
        return {str(name): _clean(each, redactor, _LIMITS.get(str(name), _LONGEST)) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each, redactor, limit) for each in value[:_MOST]]
    return value


def _within(sections: dict[str, Any]) -> dict[str, Any]:
    """Give up the largest sections' log lines, then whole sections, until all of it is small enough."""
    sizes = {name: len(json.dumps(each)) for name, each in sections.items()}
    for name in sorted(sizes, key=lambda each: sizes[each], reverse=True):
        if sum(sizes.values()) <= LIMIT_BYTES:
            break
        sections[name] = _without_logs(sections[name])
        sizes[name] = len(json.dumps(sections[name]))
        if sizes[name] > LIMIT_BYTES // 2:
            sections[name] = {"unanswered": f"{sizes[name]} bytes are too much to send"}
            sizes[name] = len(json.dumps(sections[name]))
    return sections


def _without_logs(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_logs(each) for name, each in value.items() if name not in ("log", "journal")}
    return value
