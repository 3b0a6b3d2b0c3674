"""Causes before anything can be done on the host: its identity, its power, the cloud, the way to it."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    listed,
    number,
    proof,
    section,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_REFUSED = re.compile(
    r"(?:[ \t]*\* |error: |Error [a-z ]{1,60}: )*(?:"
    r"(?P<call>(?:GET|POST|PUT|PATCH|DELETE) \S{1,300}?): (?P<status>\d{3}) (?:\(request \"[^\"]{0,80}\"\) )?(?P<words>.*)"
    r"|(?P<operation>[a-z][A-Za-z0-9_ /.-]{0,120}): the API answered (?P<answered>\d{3}) (?P<reason>.*))"
)
"""An API error as godo prints it for the official provider, or as the embedded provider does."""
_AFTER = re.compile(r".{0,400}?[Rr]etry[- ][Aa]fter:? ?(\d{1,5})")
_SOLD_OUT = re.compile(r".{0,300}?(?:size|region|image|not available|unavailable|limit|quota|exceed)", re.IGNORECASE)
_SILENT_API = re.compile(r".{0,300}?(?:connection refused|i/o timeout|timed out|could not be (?:asked|reached)|EOF)\b")
_BUSY = (429, 500, 502, 503, 504)
_GONE = ("gone", "missing", "not-found", "deleted", "archive")
_CLOUD_FAILURES = ("RESOURCE_FAILED", "RUN_FAILED")
_MISMATCHES = ("HOST_KEY_REFUSED", "HOST_MISMATCH", "IDENTITY_MISMATCH", "DROPLET_MISMATCH", "TAG_MISMATCH")
_SILENCES = ("HOST_UNREACHABLE", "LINK_LOST", "HOST_RESTARTED", "HOST_SILENT")
_DROPLET_GONE = re.compile(r"\S{1,200} is gone\Z")


def _host_mismatch(situation: Situation) -> Iterator[Seen]:
    declared, cloud = situation.declared, section(situation, "cloud")
    failure, lost = failed(situation, *_MISMATCHES), section(situation, "unreachable")
    if failure is not None:
        yield Seen(declared.address, proof("connection", failure.evidence or failure.code), 0.99)
    elif lost.get("code") in _MISMATCHES:
        yield Seen(declared.address, proof("connection", lost.get("reason") or lost.get("code")), 0.99)
    elif cloud.get("id") and declared.machine and str(cloud["id"]) != declared.machine:
        yield Seen(declared.address, proof("cloud", f"droplet {cloud['id']}, expected {declared.machine}"), 0.99)
    elif isinstance(cloud.get("tags"), list) and declared.tag and declared.tag not in cloud["tags"]:
        yield Seen(declared.address, proof("cloud", f"tags {cloud['tags']}, expected {declared.tag}"), 0.99)


def _login_refused(situation: Situation) -> Iterator[Seen]:
    failure, lost = failed(situation, "LOGIN_REFUSED"), section(situation, "unreachable")
    if failure is not None:
        yield Seen(situation.declared.address, proof("connection", failure.evidence or failure.code), 0.99)
    elif lost.get("code") == "LOGIN_REFUSED":
        yield Seen(situation.declared.address, proof("connection", lost.get("reason") or lost.get("code")), 0.99)


def _is_ours(situation: Situation) -> bool:
    return not any(_host_mismatch(situation))


def _droplet_off(situation: Situation) -> Iterator[Seen]:
    cloud = section(situation, "cloud")
    if cloud.get("status") == "off" and _is_ours(situation):
        machine = str(cloud.get("id") or situation.declared.machine)
        details = {"machine": machine, "tags": cloud.get("tags")}
        yield Seen(machine, proof("cloud", f"droplet {machine}: status off"), 0.99, details)


def _droplet_gone(situation: Situation) -> Iterator[Seen]:
    cloud, machine = section(situation, "cloud"), situation.declared.machine
    if cloud.get("status") in _GONE:
        yield Seen(machine, proof("cloud", f"droplet {machine}: {cloud['status']}"), 0.99)
    for each in find_drift(situation, _DROPLET_GONE, layer="digitalocean"):
        if each.get("type") == "Droplet":
            yield Seen(machine, proof("drift", each.get("what")), 0.98)


def _host_silent(situation: Situation) -> Iterator[Seen]:
    lost, failure = section(situation, "unreachable"), failed(situation, *_SILENCES)
    status = section(situation, "cloud").get("status")
    if status == "off" or status in _GONE or lost.get("kind") == "refused":
        return
    if lost:
        yield Seen(situation.declared.address, proof("connection", lost.get("reason") or lost.get("code")), 0.9)
    elif failure is not None:
        yield Seen(situation.declared.address, proof("connection", failure.evidence or failure.code), 0.7)


def _refusals(situation: Situation) -> Iterator[tuple[int, str, str]]:
    """Yield (status, what the API said, the whole line) of what a cloud resource failed with."""
    failure = failed(situation, *_CLOUD_FAILURES)
    for line in step_lines(failure):
        found = _REFUSED.match(line)
        if found:
            yield int(found["status"] or found["answered"]), text(found["words"] or found["reason"]), line


def _cloud_busy(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, *_CLOUD_FAILURES)
    subject = failure.resource if failure else ""
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
            yield Seen(failure.resource if failure else "", proof("cloud", line), 0.9, {"reason": words})


def _token_refused(situation: Situation) -> Iterator[Seen]:
    failure = situation.failure
    for status, _, line in _refusals(situation):
        if status == 401:  # noqa: PLR2004 (HTTP: unauthorized)
            yield Seen(failure.resource if failure else "", proof("cloud", line), 0.95)


_WAY = ("greenroom status -s {stack}", "doctl compute droplet get {machine} --format ID,Name,Status,PublicIPv4,Tags")

CAUSES = (
    cause(
        "HOST_MISMATCH",
        _host_mismatch,
        rows="U30 F42",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The machine at {address} is not the droplet of the stack {stack}",
        impact="Nothing was sent to it: commands and secrets for {stack} could have reached another machine.",
        role="system administrator",
        next_steps=(
            *_WAY,
            "ssh-keyscan -t ed25519 {address}   # compare with: greenroom outputs -s {stack} ssh",
            "greenroom up -s {stack} --refresh   # only once it is known which machine answers there, and why",
        ),
    ),
    cause(
        "LOGIN_REFUSED",
        _login_refused,
        rows="U27 F44",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The droplet {address} refuses the stack's login key",
        impact="Nothing can be deployed or mended; what runs there goes on. One login was tried, and no more.",
        role="system administrator",
        next_steps=(
            "greenroom status -s {stack}   # the resource `operator` holds the key that should open it",
            "open the droplet's recovery console and compare /root/.ssh/authorized_keys with that key",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "DROPLET_GONE",
        _droplet_gone,
        rows="F20",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The droplet {machine} does not exist any more",
        impact="The environment is down. A new droplet starts without the data that was not on the volume.",
        role="system administrator",
        next_steps=(
            "doctl compute action list --resource-type droplet   # who deleted it, and when",
            "doctl compute volume list   # whether the data volume is still there",
            "greenroom preview -s {stack} && greenroom up -s {stack} --refresh   # makes a new droplet",
        ),
    ),
    cause(
        "DROPLET_OFF",
        _droplet_off,
        rows="",
        stage="provision",
        verdict=Verdict.GUARD,
        severity="critical",
        title="The droplet {machine} is switched off",
        impact="The environment is down.",
        role="system administrator",
        next_steps=("doctl compute droplet-action power-on {machine} --wait", "greenroom up -s {stack} --refresh"),
        remedy="power-on",
    ),
    cause(
        "HOST_SILENT",
        _host_silent,
        rows="F39 F41 F50",
        stage="provision",
        verdict=Verdict.HEAL,
        severity="critical",
        title="The droplet {address} does not answer",
        impact="Nothing can be deployed or looked at; whether it serves visitors is not known.",
        role="devops",
        next_steps=(
            "nc -vz {address} 22",
            *_WAY,
            "open the droplet's console: whether it boots, and whether sshd runs (systemctl status ssh)",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="wait",
    ),
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
