"""Taking what is there into the settings, where a setting says it: which key of which file, and writing it.

Most of what can drift is no setting: the program says it, and a person who wants it otherwise changes the program. An
offer says so, with the reason.
"""

from __future__ import annotations

__all__ = ["adopt", "offered", "written"]

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.ops.drift import Drift, Offer
from infra.settings import load_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SETTINGS = {
    ("Droplet", "size"): "droplet.size",
    ("Volume", "size"): "volume.sizeGib",
    ("MonitorAlert", "value"): "alerts.{resource}Percent",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REASONS = {
    "program": "the program and the settings say so already; greenroom up makes it so",
    "state": "declare it in the program, or let greenroom up delete it",
    "digitalocean": "no setting says this: infra/cloud declares it",
    "host": "no setting says this: infra/host declares it",
}


def offered(findings: Iterable[Drift], *, stack: str) -> list[Drift]:
    """Return the findings with what can be done about each."""
    return [replace(each, revert=_revert(each, stack), adopt=_adoption(each, stack)) for each in findings]


def adopt(findings: Iterable[Drift], names: Iterable[str], *, root: Path, stack: str) -> list[Offer]:
    """Write what was found of the named resources into the stack's settings; returns what was written.

    Raises ConfigurationError naming every finding of theirs that no setting can take, or a name nothing was found of;
    then nothing is written. What the settings' own rules refuse is taken back.
    """
    found, wanted = list(findings), list(dict.fromkeys(names))
    problems = [
        Problem("command line", f"--adopt {name}", "no finding", "a resource that the findings name")
        for name in wanted
        if not any(each.resource == name for each in found)
    ]
    chosen = [each for each in found if each.resource in wanted]
    problems += [
        Problem("command line", f"--adopt {each.resource}", each.what, f"what a setting says ({each.adopt.how})")
        for each in chosen
        if not each.adopt.possible
    ]
    if problems:
        raise ConfigurationError(problems, hint=f"greenroom drift -s {stack} --revert")
    path = root / f"Pulumi.{stack}.yaml"
    before = path.read_text(encoding="utf-8")
    text = before
    try:
        for each in chosen:
            text = written(text, each.adopt.key, _value(each))
    except ValueError as error:
        raise GreenroomError(f"{path.name}: {error}", hint=f"write it into {path.name} by hand") from error
    _replace(path, text)
    try:
        load_file(path, root=root)
    except GreenroomError:
        _replace(path, before)
        raise
    return [each.adopt for each in chosen]


def written(text: str, key: str, value: str) -> str:
    """Return a stack file's text with `greenroom:SECTION.NAME` set; its comments and order survive.

    ValueError where the section is missing or written in one line.
    """
    section, name = key.split(".")
    lines = text.splitlines(keepends=True)
    heads = [at for at, line in enumerate(lines) if re.fullmatch(rf"( *)greenroom:{section}:\s*(#.*)?", line.rstrip())]
    if not heads:
        raise ValueError(f"greenroom:{section} is no section of its own lines")
    start = heads[0] + 1
    indent = len(lines[heads[0]]) - len(lines[heads[0]].lstrip())
    end = start
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    for at in range(start, end):
        if match := re.match(rf"( +{name}:)(\s*)([^#\n]*?)(\s*(#.*)?)$", lines[at].rstrip("\n")):
            lines[at] = f"{match[1]}{match[2] or ' '}{value}{match[4]}\n"
            return "".join(lines)
    inner = next((line for line in lines[start:end] if line.strip()), " " * (indent + 2) + "x")
    lines.insert(start, f"{inner[: len(inner) - len(inner.lstrip())]}{name}: {value}\n")
    return "".join(lines)


def _revert(each: Drift, stack: str) -> Offer:
    if each.layer == "program":
        return Offer(possible=True, how=f"greenroom up -s {stack}")
    return Offer(possible=True, how=f"greenroom up --refresh -s {stack}")


def _adoption(each: Drift, stack: str) -> Offer:
    file = f"Pulumi.{stack}.yaml"
    key = _setting(each)
    if key:
        how = f"greenroom drift -s {stack} --adopt {each.resource}"
        return Offer(possible=True, how=how, file=file, key=key)
    if each.type == "EnvFile":
        reason = f"a value never leaves the host: write it into greenroom:environment of {file}, or set the secret"
        return Offer(possible=False, how=reason)
    return Offer(possible=False, how=_REASONS[each.layer])


def _setting(each: Drift) -> str:
    """Return the key of the setting that says this, empty where none does."""
    if each.layer == "digitalocean" and isinstance(each.found, str | int | float):
        return _SETTINGS.get((each.type, each.property), "").format(resource=each.resource)
    is_commit = each.type == "Checkout" and each.what.endswith("is at another commit")
    return "workload.commit" if is_commit and _COMMIT.fullmatch(str(each.found)) else ""


def _value(each: Drift) -> str:
    value: Any = each.found
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(path.stat().st_mode & 0o777)
    temporary.replace(path)
