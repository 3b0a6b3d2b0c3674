"""Causes between a healthy container and its visitor: health checks, endpoints, the proxy, the packet filter."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.causes.containers import NOT_FOUND, NOT_THERE, SLOW_CHECK
from infra.healing.causes.logged import failing, fresh
from infra.healing.matching import (
    Seen,
    cause,
    entries,
    listed,
    lookup,
    number,
    proof,
    section,
    services,
    text,
    words,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_CHECK_URL = re.compile(r"https?://[a-zA-Z0-9.\[\]:-]{1,100}?(?::(\d{1,5}))?(/[^\s'\"|)]{0,300})?(?=[\s'\"|),]|\Z)")
_ANSWERED = re.compile(r"([A-Z]{3,7} \S{1,400}) answered (\d{3})(?:: (.{0,300}))?")
_SLOW = re.compile(r"([A-Z]{3,7} \S{1,400}) took (\d{1,5}\.\d\d) s; expected at most (\S{1,12})")
_WELL = 200
_SLOW_MS = 1000


def _health_check_wrong(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        last = listed(each.get("health_log"))[-1:]
        if each.get("state") != "running" or each.get("health") == "healthy" or not last or last[0].get("exit") == 0:
            continue
        output, good = text(last[0].get("output")), _good_path(situation, each)
        if good and (NOT_FOUND.match(output) or NOT_THERE.match(output) or _asks_in_vain(each)):
            asks = _asked_by(each)
            shown = (*proof("health log", output), *proof("http", f"200 on {good}"), *proof("compose", f"asks {asks}"))
            yield Seen(name, shown, 0.95, {"good": good, "asks": asks})


def _asks_in_vain(each: Mapping[str, Any]) -> bool:
    """Tell whether the check's own question, asked from outside, is answered that there is nothing of the kind."""
    return lookup(each.get("check_answer"), "status") in (404, 405)


def _good_path(situation: Situation, each: Mapping[str, Any]) -> str:
    """Return where a service does answer 200, as port and path of this host; empty where nowhere."""
    for way in listed(each.get("published")):
        port = str(int(number(way.get("port"))))
        answers = lookup(section(situation, "http"), "ports", port)
        for path, answer in entries(answers):
            if answer.get("status") == _WELL:
                return f"{path} (port {way.get('inside')} inside)"
    return ""


def _asked_by(each: Mapping[str, Any]) -> str:
    asked = each.get("check_answer")
    if lookup(asked, "path"):
        return f"{lookup(asked, 'path')} (port {lookup(asked, 'inside')} inside)"
    check = words(each.get("check"))
    for word in check:
        found = _CHECK_URL.search(word)
        if found:
            return f"{found[2] or '/'} (port {found[1] or 'of the scheme'})"
    return " ".join(check[1:])[:200] or "its own command"


def _health_slow(situation: Situation) -> Iterator[Seen]:
    for name, each in services(situation).items():
        last = listed(each.get("health_log"))[-1:]
        timed_out = bool(last) and last[0].get("exit") != 0 and SLOW_CHECK.match(text(last[0].get("output")))
        if timed_out and each.get("health") != "healthy" and (slow := _slowest(situation, each)) is not None:
            yield Seen(name, proof("health log", last[0].get("output")), 0.85, {"seconds": f"{slow / 1000:.1f} s"})
    for each in situation.statements:
        found = _SLOW.match(each.reason[:1000])
        if found:
            yield Seen(found[1], proof(each.group, each.reason), 0.85, {"seconds": f"{found[2]} s"})


def _slowest(situation: Situation, each: Mapping[str, Any]) -> float | None:
    """Return the milliseconds of a service's slowest good answer; None where it gives none."""
    found: list[float] = []
    for way in listed(each.get("published")):
        answers = lookup(section(situation, "http"), "ports", str(int(number(way.get("port")))))
        found += [number(one.get("milliseconds")) for _, one in entries(answers) if one.get("status") == _WELL]
    return max(found) if found and max(found) >= _SLOW_MS else None


def _app_errors(situation: Situation) -> Iterator[Seen]:
    errors = [(name, error) for name in services(situation) for error in reversed(fresh(situation, name))]
    told = next(iter(errors), ("", dict[str, Any]()))
    proxy = section(situation, "proxy")
    if proxy.get("running") and proxy.get("differs") and not errors:
        return  # what answers is a proxy with another configuration: its 503 says nothing of the application
    found = failing(situation)
    if found:
        what, status, reason = found[0]
        line = text(told[1].get("line_text")) or "no traceback in the logs"
        details = {"status": status, "service": told[0] or "a service", "line": line[:300], "count": len(found)}
        yield Seen(what, (*proof("http", reason), *proof(told[0] or "logs", line)), 0.85 if told[0] else 0.6, details)


def _endpoint_missing(situation: Situation) -> Iterator[Seen]:
    for each in situation.statements:
        found = _ANSWERED.match(each.reason[:1000])
        if found and (found[2] in ("404", "405") or (found[2] == "422" and "int_parsing" in each.reason[:1000])):
            yield Seen(found[1], proof(each.group, each.reason), 0.85, {"status": found[2], "statement": each.name})


CAUSES = (
    cause(
        "HEALTH_CHECK_WRONG",
        _health_check_wrong,
        rows="U10 R22",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The health check of {subject} asks {asks}; the service answers 200 on {good}",
        impact="The service works, and counts as unhealthy: what depends on it does not start.",
        role="devops",
        next_steps=(
            "make the probe of {subject} in {compose_file} ask {good}, or have the application serve {asks}",
            "push, then greenroom up -s {stack}",
        ),
    ),
    cause(
        "HEALTH_SLOW",
        _health_slow,
        rows="U41 F70",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="medium",
        title="{subject} answers, but too slowly ({seconds})",
        impact="Health checks flap under load. No timeout was widened.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker stats --no-stream   # whether it is short of CPU or memory",
            "look at what runs before the health endpoint (middleware, queries), then push and greenroom up -s {stack}",
        ),
    ),
    cause(
        "APP_ERRORS",
        _app_errors,
        rows="U09",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{subject} answers {status}: {line}",
        impact="{count} requests of the proof fail; what else works goes on. Restarting does not help.",
        role="qa",
        next_steps=(
            "greenroom logs -s {stack} {service}   # the first error there: {line}",
            "greenroom verify -s {stack}   # every statement that fails",
            "mend it in {repository} ({branch}) and push, then greenroom up -s {stack}",
        ),
    ),
    cause(
        "ENDPOINT_MISSING",
        _endpoint_missing,
        rows="R23 U28",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{subject} answers {status}: the deployed application has no such endpoint",
        impact="Functions of the application are not there, although it is healthy.",
        role="qa",
        next_steps=(
            "curl -s https://{domain}/openapi.json   # which routes the deployed release has",
            "compare with the contract ({statement}): a route that moved, is shadowed by another, or was not released",
            "greenroom verify -s {stack}   # once it is settled which of the two is right",
        ),
    ),
)
