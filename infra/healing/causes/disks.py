"""Causes of full file systems: figures first, and what steps say of them second."""

from __future__ import annotations

__all__ = ["CAUSES", "fullness", "is_data", "no_space"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.matching import (
    Seen,
    cause,
    failed,
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
_STEPS = (
    "MIGRATION_FAILED",
    "IMAGE_BUILD_FAILED",
    "IMAGE_PULL_FAILED",
    "PACKAGES_FAILED",
    "COMPOSE_UP_FAILED",
    "ACT_FAILED",
)


def fullness(situation: Situation) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield each file system that is full, or nearly, and whether it is full by its own figures alone."""
    for each in listed(section(situation, "disk").get("systems")):
        size, free, percent = (number(each.get(name)) for name in ("size_bytes", "free_bytes", "percent"))
        if text(each.get("path")).startswith(_PASSING) or not size:
            continue
        is_full = percent >= _FULL_PERCENT or (size > _SMALL_BYTES and free < _FULL_BYTES)
        if is_full or percent >= _NEARLY_PERCENT:
            yield each, is_full


def no_space(situation: Situation) -> str:
    """Return the first line in which a step, a database or a container says that there is no space left."""
    found = first_line(_NO_SPACE, step_lines(failed(situation, *_STEPS)))
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
    in_step = first_line(_NO_SPACE, step_lines(failed(situation, *_STEPS)))
    largest = [
        f"{each.get('path')} ({number(each.get('size_bytes')) / 1e6:.0f} MB)" for each in listed(disk.get("largest"))
    ]
    prunable = sum(number(lookup(disk, "prunable", name)) for name in ("images_bytes", "cache_bytes"))
    details = {"largest": ", ".join(largest[:6]) or "see du", "prunable_bytes": int(prunable)}
    whole = [each for each in fullness(situation) if not is_data(text(each[0].get("path")))]
    for each, is_full in whole:
        if is_full or in_step:
            path, free = text(each.get("path")), number(each.get("free_bytes")) / 1e6
            line = f"{path}: {number(each.get('percent')):.0f} % used, {free:.0f} MB free"
            shown = (*proof("disk", line), *(proof("step", said) if said else ()))
            yield Seen(path, shown, 0.95 if said else 0.9, {**details, "free": f"{free:.0f} MB"})
    if in_step and not whole and prunable > 0:
        yield Seen("/var/lib/docker", proof("step", in_step.string), 0.7, {**details, "free": "too little"})


def _inodes_full(situation: Situation) -> Iterator[Seen]:
    for each in listed(section(situation, "disk").get("systems")):
        used, path = number(each.get("inodes_percent")), text(each.get("path"))
        if used >= _FULL_PERCENT and not path.startswith(_PASSING):
            yield Seen(path, proof("disk", f"{path}: {used:.0f} % of the inodes used"), 0.95)


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
)
