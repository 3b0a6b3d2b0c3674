"""The checkout, its env file by names alone, and the directories that containers write to."""

from __future__ import annotations

__all__ = ["directories_section", "env_section", "git_section"]

import itertools
import os
import re
import stat

from infra.transport.remote.processes import Finished, run
from infra.transport.remote.report import parse_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PATIENCE_S = 2.5
_GIT = ["git", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"]
_DEEPEST, _MOST_FOLDERS = 4, 400
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_FROM = re.compile(r"\s*FROM\s+(?:--platform=\S+\s+)?(\S{1,300})", re.IGNORECASE)
_NPM_CI = re.compile(r"(?:\s*RUN\b.{0,400}?|\s*|.{0,400}?&&\s*)npm\s+(?:ci|clean-install)\b")
_PLACEHOLDER = re.compile(
    r"(?i)\A<[^<>]{0,200}>\Z|change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this)"
    r"|your[-_ ](?:secret|password|key|token|api)|place[-_ ]?holder|to[-_ ]?be[-_ ]?(?:set|done|filled)"
    r"|fill[-_ ]?(?:me|this|in)|x{6,}|\*{3,}"
)
"""As the settings refuse in a secret; see `infra.secret.strength`."""


def git_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell what is checked out, what differs, and which package is built by `npm ci` without its lock file."""
    directory, owner = probe["directory"], probe["user"]
    fact: dict[str, Any] = {
        "directory": directory,
        "exists": os.path.isdir(directory),
        "is_checkout": os.path.isdir(f"{directory}/.git"),
        "partial": os.path.isdir(f"{directory}.partial"),
        "entries": sorted(os.listdir(directory))[:20] if os.path.isdir(directory) else [],
        "head": "",
        "url": "",
        "changed": [],
        "unlocked": [],
        "error": "",
    }
    if not fact["is_checkout"]:
        return fact
    head = _git(["rev-parse", "--verify", "-q", "HEAD^{commit}"], directory, owner)
    status = _git(["status", "--porcelain=v1", "-z", "--no-renames"], directory, owner)
    fact["head"], fact["error"] = head.stdout.strip(), status.stderr.strip()
    fact["url"] = _git(["config", "--get", "remote.origin.url"], directory, owner).stdout.strip()
    fact["changed"] = sorted(entry for entry in status.stdout.split("\0") if entry)[:20]
    fact["unlocked"] = list(_unlocked(directory, owner))
    return fact


def env_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell of the env file which variables are missing, empty or placeholders; of values nothing leaves the host."""
    path = probe["env_file"]
    fact: dict[str, Any] = {"path": path, "exists": os.path.isfile(path), "names": [], "mode": "", "uid": -1}
    if not fact["exists"]:
        return {**fact, "missing": sorted(probe["env_names"]), "empty": [], "placeholders": [], "doubled": []}
    found = os.stat(path)
    with open(path, encoding="utf-8", errors="replace") as stream:
        pairs = parse_env(stream.read(1 << 20))
    names, values = [name for name, _ in pairs], dict(pairs)
    return {
        **fact,
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "uid": found.st_uid,
        "names": sorted(values),
        "missing": sorted(set(probe["env_names"]) - set(values)),
        "empty": sorted(name for name, value in pairs if not value.strip()),
        "placeholders": sorted(name for name, value in values.items() if _PLACEHOLDER.search(value[:4096])),
        "doubled": sorted({name for name in names if names.count(name) > 1}),
    }


def directories_section(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell owner and mode of each declared directory, by its path."""
    facts: dict[str, Any] = {}
    for path in probe["directories"]:
        try:
            found = os.lstat(path)
        except OSError as error:
            facts[path] = {"exists": False, "uid": -1, "mode": "", "error": str(error)}
            continue
        kind = "directory" if stat.S_ISDIR(found.st_mode) else "other"
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        facts[path] = {"exists": True, "kind": kind, "uid": found.st_uid, "mode": mode, "error": ""}
    return facts


def _unlocked(directory: str, owner: str) -> Iterator[dict[str, Any]]:
    """Yield each folder with a package.json, no lock file, and a Dockerfile that runs `npm ci`."""
    for folder, names in _folders(directory):
        if "package.json" not in names or any(lock in names for lock in _LOCKS):
            continue
        found = _npm_ci(folder, names, directory)
        if found:
            path = os.path.relpath(f"{folder}/package-lock.json", directory)
            ignored = _git(["check-ignore", "-v", "--no-index", path], directory, owner).stdout.split("\t")[0].strip()
            where = {"folder": os.path.relpath(folder, directory), "lock_file": path, "ignored_by": ignored}
            yield {**where, **found, "dockerfile": os.path.relpath(found["dockerfile"], directory)}


def _folders(directory: str) -> Iterator[tuple[str, list[str]]]:
    base = directory.rstrip("/").count("/")
    for folder, below, names in itertools.islice(os.walk(directory), _MOST_FOLDERS):
        deep = folder.count("/") - base >= _DEEPEST
        below[:] = [] if deep else [each for each in sorted(below) if each not in (".git", "node_modules", ".venv")]
        yield folder, names


def _npm_ci(folder: str, names: list[str], directory: str) -> dict[str, Any] | None:
    """Find the `npm ci` in a Dockerfile beside the package, or at the top: dockerfile, number, line, and its image."""
    places = [f"{folder}/{name}" for name in sorted(names) if "dockerfile" in name.lower()]
    for path in [*places, f"{directory}/Dockerfile"]:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                lines = stream.read(1 << 18).splitlines()
        except OSError:
            continue
        image = ""
        for number, line in enumerate(lines, 1):
            stage = _FROM.match(line[:500])
            image = stage.group(1) if stage else image
            if not line.lstrip().startswith("#") and _NPM_CI.match(line[:500]):
                return {"dockerfile": path, "number": number, "line": line.strip()[:200], "image": image}
    return None


def _git(words: list[str], directory: str, owner: str) -> Finished:
    return run([*_GIT, *words], cwd=directory, user=owner, env={"GIT_OPTIONAL_LOCKS": "0"}, timeout_s=PATIENCE_S)
