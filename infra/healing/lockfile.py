"""A missing lock file, mended where it has to be: in the workload's repository, as a branch and a patch.

`npm ci` needs a lock file, and the repository ignores it. A scratch clone of the failed commit is read here; the lock
file is made on the droplet, by the npm of the very image that the Dockerfile builds from
(`infra.transport.remote.lock_file`); the line of `.gitignore` that git itself names is mended; the two changes are one
commit on a branch that carries the failed commit's name, and a patch for `git am`. The droplet's checkout is not
touched. The branch is pushed only where the settings say so, and only if nobody else has one of that name.
"""

from __future__ import annotations

__all__ = ["Patcher", "base_image", "checked_lock", "mended_ignore"]

import base64
import json
import re
import shlex
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import GreenroomError
from infra.healing.hands import Seen
from infra.healing.repository import Clone, RepositoryError
from infra.source import healing_branch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.healing.hands import Host
    from infra.healing.model import Act, Declared

LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
LOCK = LOCKS[0]
FILES_LIMIT, TEXT_LIMIT = 200, 2 << 20
HOST_TIMEOUT_S = 150.0
MENDS_LIMIT = 8
_KEPT = "lock"
_FROM = re.compile(r"FROM\s+(?:--platform=\S+\s+)?(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?\s*", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(?P<name>[A-Za-z_]\w*)=(?P<value>\S*)\s*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?(?P<name>[A-Za-z_]\w*)\}?")
_NPM_CI = re.compile(r"RUN\b.*\bnpm\s+(?:ci|clean-install)\b", re.IGNORECASE)
_REGISTRY_TARBALL = re.compile(r"https?://\S+/-/[^/\s]+\.tgz")


class _RefusalError(GreenroomError):
    """The patch must not, or cannot, be made; the message says why."""


@dataclass
class Patcher:
    """Makes the patch for one stack; `offer` is what `Hands` calls."""

    declared: Declared
    host: Callable[[], Host]
    environment: Mapping[str, str]
    """For git on the controller: what the session's own has, with the local cloud's names."""
    directory: Path
    """Where the patch file is left."""
    branch_prefix: str = "greenroom/heal-"
    is_stopped: Callable[[], bool] = lambda: False
    """Whether the run was stopped: then nothing more is asked of the host, and nothing is pushed."""
    patches: list[Path] = field(default_factory=list[Path])
    """The patch files that were written, for the incident's list of artifacts."""

    def offer(self, act: Act) -> Seen:
        """Make branch and patch for the directory that the act names, and push where that is allowed.

        Refuses where the commit has a lock file there, where the Dockerfile does not run `npm ci` on an image that can
        be told, and where a branch of that name is at the repository and is not such a patch.
        """
        place = act.subject
        if not self.declared.commit:
            return Seen(succeeded=False, refused="nobody knows which commit failed")
        try:
            with tempfile.TemporaryDirectory(prefix="greenroom-patch-") as scratch:
                clone = Clone.of(self.declared.repository, Path(scratch) / "clone", self.environment)
                clone.check_out(self.declared.commit, self.declared.branch)
                return self._offered(clone, place, act)
        except (_RefusalError, RepositoryError) as error:
            return Seen(succeeded=False, refused=error.message)

    def _offered(self, clone: Clone, place: str, act: Act) -> Seen:
        lock = f"{place}/{LOCK}" if place != "." else LOCK
        tracked = clone.tracked()
        self._expect_missing(place, tracked)
        branch = healing_branch(self.branch_prefix, self.declared.commit)
        before = f"{lock} is not in {self.declared.commit[:12]}"
        known = clone.fetch_branch(branch)
        if known:
            self._expect_ours(clone, known, lock)
            return self._told(clone, branch, known, before, "was there already")
        image = base_image(_text(clone, _dockerfile(place, act)))
        if not image:
            raise _RefusalError(f"{_dockerfile(place, act)}: nobody can tell which image runs npm ci")
        made = self._make(image, _package_files(clone, place, tracked))
        content = checked_lock(made["text"], _text(clone, f"{place}/package.json"))
        hidden = self._unhide(clone, lock)
        clone.write(lock, content)
        message = _message(act, lock=lock, image=image, npm=made["npm"], hidden=hidden, base=self.declared.commit)
        commit = clone.commit(message, [lock, *sorted({each.file for each in hidden})])
        told = "; ".join(f"{each.file}:{each.line}: {each.what} {each.pattern}" for each in hidden)
        return self._told(clone, branch, commit, f"{before}{f'; {told}' if told else ''}", f"by npm {made['npm']}")

    # ---- the parts

    @staticmethod
    def _expect_missing(place: str, tracked: Sequence[str]) -> None:
        prefix = "" if place == "." else f"{place}/"
        if f"{prefix}package.json" not in tracked:
            raise _RefusalError(f"there is no {prefix}package.json in that commit")
        present = [name for name in LOCKS if f"{prefix}{name}" in tracked]
        if present:
            raise _RefusalError(f"{prefix}{present[0]} is there already")

    def _expect_ours(self, clone: Clone, commit: str, lock: str) -> None:
        """Accept a branch that is there only as what would be made here: on this commit, with these files alone."""
        changed = clone.changed(self.declared.commit, commit)
        surplus = [path for path in changed if path != lock and Path(path).name != ".gitignore"]
        if clone.parents(commit) != [self.declared.commit] or surplus or lock not in changed:
            raise _RefusalError(f"a branch of that name is at the repository, and is another change: {commit[:12]}")

    def _make(self, image: str, files: Mapping[str, str]) -> dict[str, str]:
        self._go_on()
        answer = self.host().call(
            subject="healing",
            phase="heal",
            probes={},
            acts=[{"do": "lock_file", "image": image, "files": dict(files), "keep": _KEPT}],
            lock="images",
            timeout_s=HOST_TIMEOUT_S,
        )
        made: dict[str, str] = json.loads(answer[_KEPT])
        return {"npm": made["npm"], "text": zlib.decompress(base64.b64decode(made["lock"])).decode()}

    def _go_on(self) -> None:
        if self.is_stopped():
            raise _RefusalError("the run was stopped")

    @staticmethod
    def _unhide(clone: Clone, lock: str) -> list[Mended]:
        """Mend each line of a tracked ignore file that hides the lock file, as git itself names them."""
        mended: list[Mended] = []
        for _ in range(MENDS_LIMIT):
            rule = clone.ignored_by(lock)
            if rule is None or any((each.file, each.pattern) == (rule.file, rule.pattern) for each in mended):
                break  # what a directory's own line hides git still takes when it is added by name
            text, what = mended_ignore(clone.read(rule.file), rule.line, rule.file, lock)
            clone.write(rule.file, text)
            mended.append(Mended(rule.file, rule.line, rule.pattern, what))
        return mended

    def _told(self, clone: Clone, branch: str, commit: str, before: str, how: str) -> Seen:
        patch = clone.format_patch(commit, self.directory)
        self.patches.append(patch)
        after = f"branch {branch}, commit {commit[:12]} ({how}); patch {patch.name}"
        if not self.declared.may_push:
            return Seen(succeeded=True, before=before, after=f"{after}; not pushed: greenroom:healing.push is off")
        self._go_on()
        pushed = clone.push(commit, branch)
        is_there = pushed == commit
        after += "; pushed" if is_there else f"; the repository did not take it: {pushed or 'no such branch there'}"
        return Seen(succeeded=is_there, before=before, after=after)


@dataclass(frozen=True)
class Mended:
    """A line of an ignore file, and what was done about it."""

    file: str
    line: int
    pattern: str
    what: str
    """Removed, or followed by a negation."""


def base_image(dockerfile: str) -> str:
    """Return the image that the stage with `npm ci` is built from; an empty text where that can't be told. Pure."""
    defaults: dict[str, str] = {}
    stages: dict[str, str] = {}
    image, in_head = "", True
    for line in _instructions(dockerfile):
        if in_head and (argument := _ARG.fullmatch(line)):
            defaults[argument["name"]] = argument["value"].strip("\"'")
        elif stage := _FROM.fullmatch(line):
            in_head = False
            named = _VARIABLE.sub(lambda match: defaults.get(match["name"], match[0]), stage["image"])
            image = stages.get(named.lower(), named)
            if stage["name"]:
                stages[stage["name"].lower()] = image
        elif _NPM_CI.match(line):
            return "" if "$" in image or image == "scratch" else image
    return ""


def mended_ignore(text: str, number: int, file: str, path: str) -> tuple[str, str]:
    """Take one line out of an ignore file where it names nothing but such lock files, else negate it for `path`. Pure.

    Returns the new text and what was done: `removed`, or `negated`.
    """
    lines = text.splitlines(keepends=True)
    pattern = lines[number - 1].strip()
    if pattern.rsplit("/", 1)[-1] in LOCKS and not pattern.startswith("!"):
        return "".join([*lines[: number - 1], *lines[number:]]), "removed"
    folder = file.rpartition("/")[0]
    inside = path.removeprefix(f"{folder}/") if folder else path
    if not lines[number - 1].endswith("\n"):
        lines[number - 1] += "\n"
    return "".join([*lines[:number], f"!/{inside}\n", *lines[number:]]), "negated"


def checked_lock(text: str, package: str) -> str:
    """Return a lock file that `npm ci` can use anywhere: complete, and without any registry's download address.

    Raises `GreenroomError` where it is none, or does not cover what `package.json` asks for. Pure.
    """
    try:
        lock: dict[str, Any] = json.loads(text)
        root: dict[str, Any] = lock["packages"][""]
        wanted: dict[str, Any] = json.loads(package)
    except (ValueError, KeyError, TypeError) as error:
        raise _RefusalError(f"npm made no lock file that can be read: {type(error).__name__}") from None
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        missing = sorted(set(wanted.get(kind) or {}) - set(root.get(kind) or {}))
        if missing:
            raise _RefusalError(f"the lock file has no {missing[0]}, which package.json asks for")
    packages: dict[str, dict[str, Any]] = lock["packages"]
    for each in packages.values():
        if _REGISTRY_TARBALL.fullmatch(str(each.get("resolved", ""))):
            del each["resolved"]
    return json.dumps(lock, indent=2, ensure_ascii=False) + "\n"


def _instructions(dockerfile: str) -> list[str]:
    joined = re.sub(r"\\[ \t]*\n", " ", dockerfile)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def _dockerfile(place: str, act: Act) -> str:
    return str(act.arguments.get("dockerfile") or (f"{place}/Dockerfile" if place != "." else "Dockerfile"))


def _text(clone: Clone, path: str) -> str:
    try:
        return clone.read(path)
    except (OSError, ValueError) as error:
        raise _RefusalError(f"{path} cannot be read in that commit: {type(error).__name__}") from None


def _package_files(clone: Clone, place: str, tracked: Sequence[str]) -> dict[str, str]:
    """Return what npm has to read: the package files below the directory, and its `.npmrc`, by path from there."""
    prefix = "" if place == "." else f"{place}/"
    inside = [path for path in tracked if path.startswith(prefix)]
    wanted = [path for path in inside if Path(path).name == "package.json" or path == f"{prefix}.npmrc"]
    files = {path.removeprefix(prefix): _text(clone, path) for path in wanted[:FILES_LIMIT]}
    if len(wanted) > FILES_LIMIT or sum(map(len, files.values())) > TEXT_LIMIT:
        raise _RefusalError(f"{place} has more package files than a lock file is made for here")
    return files


def _message(act: Act, *, lock: str, image: str, npm: str, hidden: Sequence[Mended], base: str) -> str:
    """Return the commit's message: what is mended, the evidence, and how to make the same by hand."""
    evidence = str(act.arguments.get("evidence", ""))
    lines = [
        f"Track {lock}, which npm ci needs",
        "",
        f"The build of {base[:12]} failed: npm ci installs nothing without a lock file, and there is no",
        f"{lock} in the repository.",
        *([f"    {evidence}"] if evidence else []),
        *(f"{each.file} hid it: line {each.line}, {each.pattern} ({each.what})." for each in hidden),
        "",
        f"Made by npm {npm} of the image {image}, which the Dockerfile builds from, without running",
        "any package's code and without download addresses. The same by hand:",
        "",
        f"    cd {shlex.quote(act.subject)}",
        "    npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved",
        "",
        "Offered by Greenroom's healing.",
    ]
    return "\n".join(lines) + "\n"
