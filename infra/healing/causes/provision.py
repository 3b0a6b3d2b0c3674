"""Causes before anything can be done on the host: its identity, its power, the cloud, the way to it."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    proof,
    section,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_GONE = ("gone", "missing", "not-found", "deleted", "archive")
_MISMATCHES = ("HOST_KEY_REFUSED", "HOST_MISMATCH", "IDENTITY_MISMATCH", "DROPLET_MISMATCH", "TAG_MISMATCH")
_SILENCES = ("HOST_UNREACHABLE", "LINK_LOST", "HOST_RESTARTED", "HOST_SILENT")
_RESOURCE_GONE = re.compile(r"\S{1,200} is gone\Z")
_WAY = ("greenroom status -s {stack}", "doctl compute droplet get {machine} --format ID,Name,Status,PublicIPv4,Tags")


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
        yield Seen(machine, proof("cloud", f"droplet {machine}: status off"), 0.97, details)


def _droplet_gone(situation: Situation) -> Iterator[Seen]:
    cloud, machine = section(situation, "cloud"), situation.declared.machine
    failure = failed(situation, "DROPLET_GONE")
    if failure is not None:
        yield Seen(machine, proof("cloud", failure.evidence or failure.code), 0.99)
    if cloud.get("status") in _GONE:
        yield Seen(machine, proof("cloud", f"droplet {machine}: {cloud['status']}"), 0.99)
    for each in _gone(situation, "Droplet"):
        yield Seen(machine, proof("drift", each.get("what")), 0.98)


def _volume_gone(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "VOLUME_GONE")
    if failure is not None:
        yield Seen("volume", proof("cloud", failure.evidence or failure.code), 0.99)
    for each in _gone(situation, "Volume"):
        yield Seen(text(each.get("resource")), proof("drift", each.get("what")), 0.98)


def _gone(situation: Situation, kind: str) -> Iterator[Mapping[str, Any]]:
    found = find_drift(situation, _RESOURCE_GONE, layer="digitalocean")
    return (each for each in found if each.get("type") == kind)


def _host_silent(situation: Situation) -> Iterator[Seen]:
    lost, failure = section(situation, "unreachable"), failed(situation, *_SILENCES)
    status = section(situation, "cloud").get("status")
    if status == "off" or status in _GONE or lost.get("kind") == "refused":
        return
    if lost:
        yield Seen(situation.declared.address, proof("connection", lost.get("reason") or lost.get("code")), 0.9)
    elif failure is not None:
        yield Seen(situation.declared.address, proof("connection", failure.evidence or failure.code), 0.7)


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
            "open the droplet's recovery console and compare ~root/.ssh/authorized_keys with that key",
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
        "VOLUME_GONE",
        _volume_gone,
        rows="",
        stage="provision",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The data volume ({subject}) does not exist any more",
        impact="What was on it is gone unless there is a copy: the database starts empty. No new volume was made.",
        role="system administrator",
        next_steps=(
            "doctl compute volume list   # whether it is there under another name; the control panel has its history",
            "doctl compute snapshot list --resource volume   # whether there is a copy to make it anew from",
            "greenroom up -s {stack} --refresh   # only once the data is given up: makes a new volume, which is EMPTY",
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
        role="system administrator",
        next_steps=(
            "nc -vz {address} 22",
            *_WAY,
            "open the droplet's console: whether it boots, and whether sshd runs (systemctl status ssh)",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="await-host",
    ),
)
