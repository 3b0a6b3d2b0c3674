"""Acts as values: each says why it is needed, in words that a plan or a drift report can show, and how it travels."""

from __future__ import annotations

__all__ = [
    "Act",
    "await_http",
    "checkout",
    "database_password",
    "directory",
    "down",
    "mount",
    "remember",
    "remove",
    "remove_images",
    "run",
    "start",
    "together",
    "write",
]

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Act:
    """One step on a host. `why` names the difference that it mends; `wire` may hold secrets and is never printed."""

    why: str
    wire: dict[str, Any] = field(repr=False)


def run(
    why: str,
    argv: Sequence[str],
    *,
    say: str = "",
    code: str = "COMMAND_FAILED",
    timeout_s: float = 60.0,
    hint: str = "",
    **options: Any,
) -> Act:
    """Run a program. Options: cwd, user, env, stdin, accept (exit statuses), stream (prefix of progress lines)."""
    wire = {"do": "run", "argv": list(argv), "code": code, "timeout_s": timeout_s, "hint": hint, **options}
    return Act(why, {**wire, "say": say} if say else wire)


def write(why: str, path: str, content: str, *, owner: str, mode: str, say: str = "") -> Act:
    """Write a file atomically with its owner and mode."""
    encoded = base64.b64encode(content.encode()).decode()
    wire = {"do": "write", "path": path, "content": encoded, "owner": owner, "mode": mode}
    return Act(why, {**wire, "say": say or f"write {path}"})


def directory(why: str, path: str, *, owner: str, mode: str, keep: bool = False) -> Act:
    """Make a directory, or correct the owner and mode of one that is there, unless it is to be kept as it is."""
    wire = {"do": "directory", "path": path, "owner": owner, "mode": mode, "keep": keep}
    return Act(why, {**wire, "say": f"directory {path}"})


def mount(why: str, path: str, device: str, *, timeout_s: float = 60.0) -> Act:
    """Mount a volume, making a file system where it is blank."""
    wire = {"do": "mount", "path": path, "device": device, "timeout_s": timeout_s}
    return Act(why, {**wire, "say": f"mount {path}"})


def remember(sets: Mapping[str, Any], *, drop: Sequence[str]) -> Act:
    """Keep a resource's questions on its host for the next look, by their marks; drop those of its former self."""
    return Act("what the next look asks", {"do": "remember", "sets": dict(sets), "drop": list(drop)})


def remove(why: str, path: str) -> Act:
    """Remove a file or a tree."""
    return Act(why, {"do": "remove", "path": path, "say": f"remove {path}"})


def checkout(why: str, **source: Any) -> Act:
    """Bring a directory to a commit: repository, branch, commit, directory, owner, save, keep."""
    return Act(why, {"do": "checkout", **source, "say": f"check out {source['commit'][:12]}"})


def start(why: str, *, project: str, services: Mapping[str, Any], timeout_s: float) -> Act:
    """Start services in their order and wait until they are healthy."""
    return Act(why, {"do": "start", "project": project, "services": dict(services), "timeout_s": timeout_s})


def database_password(why: str, *, project: str, env_file: str, role: Mapping[str, Any]) -> Act:
    """Give a database's role the password that the env file has; what the server has already is left alone."""
    return Act(why, {"do": "database_password", "project": project, "env_file": env_file, "role": dict(role)})


def down(why: str, *, project: str) -> Act:
    """Remove the containers, networks and volumes of a compose project."""
    return Act(why, {"do": "down", "project": project})


def remove_images(why: str, references: Sequence[str]) -> Act:
    """Remove images by reference."""
    return Act(why, {"do": "remove_images", "references": list(references), "say": "remove images"})


def await_http(why: str, *, domain: str, paths: Sequence[str], authority: str, timeout_s: float) -> Act:
    """Wait until every path answers 200 over verified HTTPS."""
    wire = {"do": "await_http", "domain": domain, "paths": list(paths), "authority": authority}
    return Act(why, {**wire, "timeout_s": timeout_s})


def together(acts: Sequence[Act]) -> Act:
    """Perform acts side by side."""
    why = "; ".join(act.why for act in acts)
    return Act(why, {"do": "together", "acts": [act.wire for act in acts], "say": "; ".join(_says(acts))})


def _says(acts: Sequence[Act]) -> list[str]:
    return [str(act.wire["say"]) for act in acts if act.wire.get("say")]
