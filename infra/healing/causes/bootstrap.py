"""Causes of the machine itself: disks, packages, Docker."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    lines_of,
    listed,
    lookup,
    number,
    proof,
    section,
    services,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_NO_SPACE = re.compile(r".{0,600}?[Nn]o space left on device")
_DATA = ("/mnt/", "/srv/", "/data/")
_PASSING = ("/run", "/dev")
_FULL_PERCENT, _NEARLY_PERCENT = 99.0, 85.0
_FULL_BYTES, _SMALL_BYTES = 64 * 1024**2, 256 * 1024**2
_STEPS = ("IMAGE_BUILD_FAILED", "IMAGE_PULL_FAILED", "PACKAGES_FAILED", "COMPOSE_UP_FAILED", "ACT_FAILED")
_PACKAGE = re.compile(r"package (\S{1,80}) is missing\Z")
_NO_PLUGIN = re.compile(r"(?:docker: 'compose' is not a docker command|unknown flag: --project-directory)")
_LOCKED = re.compile(r"(?:E: Could not get lock |E: Unable to acquire the dpkg |Waiting for cache lock: |HOST_BUSY)")
_SUDO = re.compile(r"sudo: (?:a password is required|a terminal is required to read the password)")
_NOT_STARTED = re.compile(r"(?:failed to start daemon|unable to configure the Docker daemon|invalid configuration)\b")
_DOCKER = "docker.service"


def fullness(situation: Situation) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield each file system that is full, or nearly, and whether it is full by its own figures alone."""
    for each in listed(section(situation, "disk").get("systems")):
        size, free, percent = (
            number(each.get("size_bytes")),
            number(each.get("free_bytes")),
            number(each.get("percent")),
        )
        if text(each.get("path")).startswith(_PASSING) or not size:
            continue
        is_full = percent >= _FULL_PERCENT or (size > _SMALL_BYTES and free < _FULL_BYTES)
        if is_full or percent >= _NEARLY_PERCENT:
            yield each, is_full


def no_space(situation: Situation) -> str:
    """Return the first line in which a step, a database or a container says that there is no space left."""
    found = first_line(_NO_SPACE, step_lines(situation.failure))
    for each in services(situation).values():
        error = each.get("first_error")
        said = [*lines_of(each.get("marks")), text(each.get("error")), text(lookup(error, "line_text"))]
        found = found or first_line(_NO_SPACE, said)
    return found.string if found else ""


def is_data(path: str) -> bool:
    """Tell whether a file system holds data alone: nothing that a prune of images could give back is on it."""
    return path.startswith(_DATA)


def _disk_full(situation: Situation) -> Iterator[Seen]:
    said, disk = no_space(situation), section(situation, "disk")
    largest = [
        f"{each.get('path')} ({number(each.get('size_bytes')) / 1e6:.0f} MB)" for each in listed(disk.get("largest"))
    ]
    prunable = sum(number(lookup(disk, "prunable", name)) for name in ("images_bytes", "cache_bytes"))
    details = {"largest": ", ".join(largest[:6]) or "see du", "prunable_bytes": int(prunable)}
    whole = [each for each in fullness(situation) if not is_data(text(each[0].get("path")))]
    for each, is_full in whole:
        if is_full or said:
            path, free = text(each.get("path")), number(each.get("free_bytes")) / 1e6
            line = f"{path}: {number(each.get('percent')):.0f} % used, {free:.0f} MB free"
            shown = (*proof("disk", line), *(proof("step", said) if said else ()))
            yield Seen(path, shown, 0.95 if said else 0.9, {**details, "free": f"{free:.0f} MB"})
    in_step = first_line(_NO_SPACE, step_lines(failed(situation, *_STEPS)))
    if in_step and not whole and prunable > 0:
        yield Seen("/var/lib/docker", proof("step", in_step.string), 0.7, {**details, "free": "too little"})


def _inodes_full(situation: Situation) -> Iterator[Seen]:
    for each in listed(section(situation, "disk").get("systems")):
        used, path = number(each.get("inodes_percent")), text(each.get("path"))
        if used >= _FULL_PERCENT and not path.startswith(_PASSING):
            yield Seen(path, proof("disk", f"{path}: {used:.0f} % of the inodes used"), 0.95)


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


def _dpkg_locked(situation: Situation) -> Iterator[Seen]:
    said = first_line(_LOCKED, step_lines(failed(situation, "PACKAGES_FAILED", "FIRST_BOOT_STUCK")))
    if said:
        yield Seen("dpkg", proof("apt-get", said.string), 0.9)


def _sudo_asks(situation: Situation) -> Iterator[Seen]:
    said = first_line(_SUDO, step_lines(situation.failure))
    if said:
        yield Seen("sudo", proof("step", said.string), 0.9)


CAUSES = (
    cause(
        "DISK_FULL",
        _disk_full,
        rows="F62 F84",
        stage="bootstrap",
        verdict=Verdict.GUARD,
        severity="critical",
        title="The file system at {subject} is full ({free} free)",
        impact="Builds, logs and databases on it fail; what runs may stop at its next write.",
        role="devops",
        next_steps=(
            "the largest: {largest}",
            "greenroom ssh -s {stack} -- du -xh --max-depth=3 {subject} | sort -h | tail -20",
            "free what belongs to nobody, or raise greenroom:droplet.size in Pulumi.{stack}.yaml; no volume goes",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="prune",
    ),
    cause(
        "INODES_FULL",
        _inodes_full,
        rows="",
        stage="bootstrap",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The file system at {subject} has no inode left",
        impact="No file can be made on it, although there is space.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- du -x --inodes --max-depth=4 {subject} | sort -n | tail -20",
            "remove what makes them (sessions, caches, mail), then greenroom up -s {stack} --refresh",
        ),
    ),
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
