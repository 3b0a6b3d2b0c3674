"""Causes of the machine itself: disks, packages, Docker."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.causes.claims import STARTING
from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    lines_of,
    lookup,
    proof,
    section,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_PACKAGE = re.compile(r"package (\S{1,80}) is missing\Z")
_NO_PLUGIN = re.compile(r"(?:docker: 'compose' is not a docker command|unknown flag: --project-directory)")
_LOCKED = re.compile(r"(?:E: Could not get lock |E: Unable to acquire the dpkg |Waiting for cache lock: |HOST_BUSY)")
_SUDO = re.compile(r"sudo: (?:a password is required|a terminal is required to read the password)")
_NOT_STARTED = re.compile(r"(?:failed to start daemon|unable to configure the Docker daemon|invalid configuration)\b")
_ANY = re.compile(r"")
_OF_THE_HOST = ("Baseline", "Hardening", "DataVolume", "PinnedHost", "HostKey")
_OTHERS = re.compile(
    r"(?:package \S{1,80} is missing|docker\.service is |the firewall|the packet filter|Docker's packet filter|sshd"
    r"|/etc/ssh/|/etc/nftables)"
)
"""What causes of their own are about."""
_DOCKER = "docker.service"


def _unit(situation: Situation, name: str) -> Mapping[str, Any]:
    found = lookup(section(situation, "units"), "units", name)
    return found if isinstance(found, dict) else {}


def _why_broken(situation: Situation) -> str:
    """Tell what keeps Docker from starting, where that is its configuration; empty where it is not known to be."""
    unit = _unit(situation, _DOCKER)
    if not unit or unit.get("active") in ("active", "activating", "reloading"):
        return ""
    if unit.get("load") == "masked":
        return "docker.service is masked"
    wrong = text(section(situation, "units").get("daemon_json"))
    said = first_line(_NOT_STARTED, lines_of(unit.get("journal")))
    return wrong or (said.string if said else "")


def _docker_broken(situation: Situation) -> Iterator[Seen]:
    why = _why_broken(situation)
    if why:
        yield Seen(_DOCKER, proof("unit", why), 0.95, {"reason": why[:200]})


def _docker_down(situation: Situation) -> Iterator[Seen]:
    if _why_broken(situation):
        return
    for name in (_DOCKER, "containerd.service"):
        unit = _unit(situation, name)
        if unit.get("load") == "loaded" and unit.get("active") in ("inactive", "failed", "deactivating"):
            line = f"{name}: {unit.get('active')} ({unit.get('sub')}, {unit.get('result')}) since {unit.get('since')}"
            yield Seen(name, proof("unit", line), 0.95)
            return
    silent = lookup(situation.evidence, "containers", "unanswered") or lookup(
        situation.evidence, "containers", "engine"
    )
    if silent and _unit(situation, _DOCKER).get("active") == "active":
        yield Seen(_DOCKER, proof("engine", silent), 0.8)


def _package_missing(situation: Situation) -> Iterator[Seen]:
    for each in find_drift(situation, _PACKAGE):
        found = _PACKAGE.match(text(each.get("what")))
        yield Seen(found[1] if found else "", proof("drift", each.get("what")), 0.95)
    compose = section(situation, "compose")
    said = first_line(_NO_PLUGIN, lines_of(compose.get("error"))) if compose.get("exit_status") else None
    if said:
        yield Seen("docker-compose", proof("docker compose config", said.string), 0.95)


def _host_altered(situation: Situation) -> Iterator[Seen]:
    found = [each for each in find_drift(situation, _ANY) if each.get("type") in _OF_THE_HOST]
    told = [text(each.get("what")) for each in found]
    own = [what for what in told if not _OTHERS.match(what)]
    if own:
        shown = tuple(line for what in own[:8] for line in proof("drift", what))
        yield Seen("host", shown, 0.7, {"changed": "; ".join(own[:8])})


def _dpkg_locked(situation: Situation) -> Iterator[Seen]:
    said = first_line(_LOCKED, step_lines(failed(situation, "PACKAGES_FAILED", "FIRST_BOOT_STUCK")))
    if said:
        yield Seen("dpkg", proof("apt-get", said.string), 0.9)


def _sudo_asks(situation: Situation) -> Iterator[Seen]:
    if failed(situation, *STARTING):
        return  # what such a step printed is an application's log
    said = first_line(_SUDO, step_lines(situation.failure))
    if said:
        yield Seen("sudo", proof("step", said.string), 0.9)


CAUSES = (
    cause(
        "DOCKER_BROKEN",
        _docker_broken,
        rows="",
        stage="bootstrap",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="Docker can't start: {reason}",
        impact="No container can be started or looked at; those that run are without their engine.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- journalctl -u docker -n 50 --no-pager",
            "greenroom ssh -s {stack} -- dockerd --validate --config-file /etc/docker/daemon.json",
            "mend /etc/docker/daemon.json, then on it: systemctl reset-failed docker && systemctl start docker",
            "greenroom up -s {stack} --refresh",
        ),
    ),
    cause(
        "DOCKER_DOWN",
        _docker_down,
        rows="F66",
        stage="bootstrap",
        verdict=Verdict.HEAL,
        severity="critical",
        title="{subject} does not run, or does not answer",
        impact="No container can be started or looked at; what ran may run on, unwatched.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- systemctl status {subject}",
            "greenroom ssh -s {stack} -- journalctl -u {subject} -n 50 --no-pager",
            "greenroom ssh -s {stack} -- systemctl restart {subject}",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="docker",
    ),
    cause(
        "PACKAGE_MISSING",
        _package_missing,
        rows="U31 U35",
        stage="bootstrap",
        verdict=Verdict.HEAL,
        severity="high",
        title="The package {subject} is not installed on the host",
        impact="Steps that need it fail.",
        role="devops",
        next_steps=("greenroom ssh -s {stack} -- apt-get install {subject}", "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
    cause(
        "HOST_ALTERED",
        _host_altered,
        rows="F99",
        stage="bootstrap",
        verdict=Verdict.HEAL,
        severity="medium",
        title="Accounts, files or settings of the host were changed by hand: {changed}",
        impact="The host is not as the program makes it; what builds on that may fail later.",
        role="devops",
        next_steps=("greenroom drift -s {stack}", "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
    cause(
        "DPKG_LOCKED",
        _dpkg_locked,
        rows="F46",
        stage="bootstrap",
        verdict=Verdict.HEAL,
        severity="low",
        title="Another program holds the package manager's lock",
        impact="Packages can't be installed until it ends; nothing else is touched.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- fuser -v /var/lib/dpkg/lock-frontend",
            "wait for it (unattended upgrades, cloud-init), then greenroom up -s {stack}",
        ),
        remedy="wait",
    ),
    cause(
        "SUDO_ASKS",
        _sudo_asks,
        rows="F48 U25",
        stage="bootstrap",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="sudo asks for a password where nobody can type one",
        impact="The step was not done. A password is never sent to sudo by a program.",
        role="system administrator",
        next_steps=(
            "greenroom ssh -s {stack} -- sudo -l -U {user}   # which rules the account has",
            "add the one command that the step needs to /etc/sudoers.d with NOPASSWD, checked by visudo -c",
            "greenroom up -s {stack}",
        ),
    ),
)
