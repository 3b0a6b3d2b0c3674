"""A scratch clone of the workload's repository on the controller: read it, commit to it, push one branch from it.

git runs without hooks and without anybody's prompt, and reaches repositories by https, http and ssh alone. Only a push
may also end at a path of this machine, where the controller's own git configuration says so (`pushInsteadOf`): that is
how the local cloud's repositories are written to, which it serves read-only.
"""

from __future__ import annotations

__all__ = ["Clone", "IgnoreRule", "RepositoryError"]

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import GreenroomError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUTHOR, EMAIL = "Greenroom", "healing@greenroom.invalid"
DEADLINE_S = 60
READING, WRITING = "https:http:ssh", "https:http:ssh:file"
_OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "advice.detachedHead=false")


class RepositoryError(GreenroomError):
    """git refused; the message ends with what it said."""


@dataclass(frozen=True)
class IgnoreRule:
    """The line of a tracked ignore file by which git passes a path over."""

    file: str
    line: int
    pattern: str


@dataclass(frozen=True)
class Clone:
    """A clone in a directory of its own."""

    directory: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, repository: str, directory: Path, environment: Mapping[str, str]) -> Clone:
        """Make an empty clone with that origin."""
        directory.mkdir(parents=True)
        kept = {name: value for name, value in environment.items() if not name.startswith("GIT_") or "CONFIG" in name}
        alone = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10"}
        clone = cls(directory, {**kept, **alone, "GIT_ALLOW_PROTOCOL": READING})
        clone.git("init", "--quiet", ".")
        clone.git("remote", "add", "--", "origin", repository)
        return clone

    def check_out(self, commit: str, branch: str) -> None:
        """Bring the clone to a commit, which is fetched alone where the server gives it, else with its branch."""
        try:
            self.git("fetch", "--quiet", "--no-tags", "--depth=1", "origin", commit)
        except RepositoryError:
            self.git("fetch", "--quiet", "--no-tags", "origin", f"refs/heads/{branch}")
        self.git("checkout", "--quiet", "--detach", commit)

    def tracked(self) -> list[str]:
        """Name every tracked file."""
        return [path for path in self.git("ls-files", "-z").split("\0") if path]

    def read(self, path: str) -> str:
        """Read a file of the tree; OSError where it is missing or leads out of it."""
        return self._inside(path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        """Write a file of the tree."""
        self._inside(path).write_text(text, encoding="utf-8", newline="")

    def ignored_by(self, path: str) -> IgnoreRule | None:
        """Name the line that hides a path; None where none of the repository's own does."""
        told = self.git("check-ignore", "--verbose", "--no-index", "-z", "--stdin", stdin=f"{path}\0", accept=(0, 1))
        source, line, pattern, *_ = [*told.split("\0"), "", "", ""]
        own = bool(source) and not Path(source).is_absolute() and not source.startswith(".git/")
        return IgnoreRule(source, int(line), pattern) if own and not pattern.startswith("!") else None

    def commit(self, message: str, paths: Sequence[str]) -> str:
        """Commit these paths alone, hidden or not; return the commit's id."""
        self.git("add", "--force", "--", *paths)
        identity = ("-c", f"user.name={AUTHOR}", "-c", f"user.email={EMAIL}", "-c", "commit.gpgSign=false")
        self.git(*identity, "commit", "--quiet", "--no-verify", "--file=-", stdin=message)
        return self.git("rev-parse", "HEAD").strip()

    def fetch_branch(self, branch: str) -> str:
        """Fetch a branch with its parent; return its commit, or nothing where the repository has none."""
        listed = self.git("ls-remote", "--", "origin", f"refs/heads/{branch}").split()
        if not listed:
            return ""
        self.git("fetch", "--quiet", "--no-tags", "--depth=2", "origin", f"refs/heads/{branch}")
        return listed[0]

    def parents(self, commit: str) -> list[str]:
        """Name a commit's parents."""
        return self.git("rev-list", "--parents", "--max-count=1", commit).split()[1:]

    def changed(self, base: str, commit: str) -> list[str]:
        """Name the paths in which two commits differ."""
        named = self.git("diff", "--name-only", "--no-renames", "-z", base, commit)
        return [path for path in named.split("\0") if path]

    def format_patch(self, commit: str, directory: Path) -> Path:
        """Write a commit as a file that `git am` takes."""
        directory.mkdir(parents=True, exist_ok=True)
        words = ("format-patch", "--zero-commit", "-1", commit, "--output-directory", str(directory))
        return Path(self.git(*words).strip())

    def push(self, commit: str, branch: str) -> str:
        """Push a commit as a new branch, never over another; return what the repository has there afterwards."""
        allowed = {**self.environment, "GIT_ALLOW_PROTOCOL": WRITING}
        try:
            self._run(["push", "--quiet", "origin", f"{commit}:refs/heads/{branch}"], allowed)
        except RepositoryError as error:
            return error.message
        return (self.git("ls-remote", "--", "origin", f"refs/heads/{branch}").split() or [""])[0]

    def git(self, *words: str, stdin: str = "", accept: tuple[int, ...] = (0,)) -> str:
        """Run git in the clone and return what it printed; RepositoryError where it fails."""
        return self._run(list(words), self.environment, stdin, accept)

    def _run(
        self, words: list[str], environment: Mapping[str, str], stdin: str = "", accept: tuple[int, ...] = (0,)
    ) -> str:
        try:
            done = subprocess.run(
                ["git", *_OPTIONS, *words],
                cwd=self.directory,
                env=dict(environment),
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RepositoryError(f"git {words[0]}: no end within {DEADLINE_S} s") from None
        except FileNotFoundError:
            raise RepositoryError("git is not installed here", hint="apt-get install git") from None
        if done.returncode not in accept:
            verb = next(word for word in words if not word.startswith("-") and "=" not in word)
            raise RepositoryError(f"git {verb} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _inside(self, path: str) -> Path:
        """Resolve a path of the tree: no link in it may lead out."""
        whole = (self.directory / path).resolve()
        if not whole.is_relative_to(self.directory.resolve()) or ".git" in Path(path).parts:
            raise OSError(f"{os.fspath(path)[:80]} leads out of the repository")
        return whole
