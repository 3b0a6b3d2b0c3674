"""Causes in the cloud's API: busy, refusing, or not accepting the token."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.matching import (
    Seen,
    cause,
    failed,
    first_line,
    proof,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_REFUSED = re.compile(
    r"(?:[ \t]*\* |error: |Error [a-z ]{1,60}: )*(?:[a-z]{1,20} failed: (?:[A-Z]\w{0,60} \S{1,120}: )?)?(?:"
    r"(?P<call>(?:GET|POST|PUT|PATCH|DELETE) \S{1,300}?): (?P<status>\d{3}) "
    r"(?:\(request \"[^\"]{0,80}\"\) )?(?P<words>.*)"
    r"|(?P<operation>[a-z][A-Za-z0-9_ /.-]{0,120}): the API answered (?P<answered>\d{3}) (?P<reason>.*))"
)
"""An API error as godo prints it for the official provider, or as the embedded provider and its engine do."""
_AFTER = re.compile(r".{0,400}?[Rr]etry[- ][Aa]fter:? ?(\d{1,5})")
_SOLD_OUT = re.compile(r".{0,300}?(?:size|region|image|not available|unavailable|limit|quota|exceed)", re.IGNORECASE)
_SILENT_API = re.compile(r".{0,300}?(?:connection refused|i/o timeout|timed out|could not be (?:asked|reached)|EOF)\b")
_BUSY = (429, 500, 502, 503, 504)
_CLOUD_FAILURES = ("RESOURCE_FAILED", "RUN_FAILED")


def _refusals(situation: Situation) -> Iterator[tuple[int, str, str]]:
    """Yield (status, what the API said, the whole line) of what a cloud resource failed with."""
    failure = failed(situation, *_CLOUD_FAILURES)
    for line in step_lines(failure):
        found = _REFUSED.match(line)
        if found:
            yield int(found["status"] or found["answered"]), text(found["words"] or found["reason"]), line


def _cloud_busy(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, *_CLOUD_FAILURES, "CLOUD_BUSY")
    subject = failure.resource if failure else ""
    if failure is not None and failure.code == "CLOUD_BUSY":
        yield Seen(subject, proof("cloud", failure.evidence), 0.9)
        return
    for status, _, line in _refusals(situation):
        if status in _BUSY:
            after = _AFTER.match(line)
            details = {"retry_after_s": int(after[1])} if after else {}
            yield Seen(subject, proof("cloud", line), 0.9, details)
            return
    silent = first_line(_SILENT_API, step_lines(failed(situation, "RESOURCE_FAILED")))
    if silent and failure:
        yield Seen(subject, proof("cloud", silent.string), 0.6)


def _cloud_refused(situation: Situation) -> Iterator[Seen]:
    failure = situation.failure
    for status, words, line in _refusals(situation):
        if status in (403, 409, 412, 422) and _SOLD_OUT.match(words):
            # Surer than a silent host: a droplet is switched off to be resized, and boots again once that was refused.
            yield Seen(failure.resource if failure else "", proof("cloud", line), 0.95, {"reason": words})


def _token_refused(situation: Situation) -> Iterator[Seen]:
    failure = situation.failure
    if failure is not None and failure.code == "TOKEN_REFUSED":
        yield Seen(failure.resource, proof("cloud", failure.evidence), 0.97)
    for status, _, line in _refusals(situation):
        if status == 401:  # noqa: PLR2004 (HTTP: unauthorized)
            yield Seen(failure.resource if failure else "", proof("cloud", line), 0.95)


CAUSES = (
    cause(
        "CLOUD_BUSY",
        _cloud_busy,
        rows="F09 F10 F11 F14",
        stage="provision",
        verdict=Verdict.HEAL,
        severity="medium",
        title="DigitalOcean's API does not serve requests for {subject} at present",
        impact="The deployment can't go on; what runs is not touched.",
        role="devops",
        next_steps=("curl -s https://status.digitalocean.com/api/v2/status.json", "greenroom up -s {stack}"),
        remedy="wait",
    ),
    cause(
        "CLOUD_REFUSED",
        _cloud_refused,
        rows="F17 F18",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="DigitalOcean refuses {subject}: {reason}",
        impact="The deployment can't go on; nothing was changed in its place.",
        role="devops",
        next_steps=(
            "doctl compute size list && doctl compute region list   # what can be had instead",
            "doctl account get   # the limits of the account; a higher one is asked for in the control panel",
            "change greenroom:droplet.size or greenroom:droplet.region in Pulumi.{stack}.yaml",
            "greenroom preview -s {stack} && greenroom up -s {stack}",
        ),
    ),
    cause(
        "TOKEN_REFUSED",
        _token_refused,
        rows="",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="DigitalOcean does not accept the API token",
        impact="Nothing in the cloud can be looked at or changed; what runs goes on.",
        role="system administrator",
        next_steps=(
            "doctl account get   # with the same DIGITALOCEAN_TOKEN: expired, revoked, or of too small a scope",
            "make a new token in the control panel (API, Tokens), give it as DIGITALOCEAN_TOKEN",
            "greenroom up -s {stack}",
        ),
    ),
)
