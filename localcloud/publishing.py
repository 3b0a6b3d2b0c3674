"""Publishing a directory as a commit of a hosted git repository, deterministically.

The commit follows from the directory's content and the branch's history alone: a fixed author, and a date that counts
commits. Publishing the same content again makes no commit. Only git's plumbing is used: the directory is not touched.
"""

from __future__ import annotations

__all__ = ["PublishingError", "publish"]

import os
import subprocess
import tempfile
from pathlib import Path

AUTHOR, EMAIL = "Greenroom", "publisher@greenroom.test"
FIRST_DATE = 1_767_225_600
"""2026-01-01T00:00:00Z; each further commit is a minute later."""
MINUTE_S = 60
NEVER_PUBLISHED = "__pycache__/\n*.pyc\nnode_modules/\n.venv/\n.pytest_cache/\n.ruff_cache/\n"


class PublishingError(RuntimeError):
    """Git refused; the message ends with what it said."""


def publish(repository: Path, directory: Path, branch: str) -> str:
    """Put a directory's content on a branch of a bare repository, made at need, and return the commit's id.

    What `.gitignore` files in the directory name is left out, and so are caches. Raises PublishingError.
    """
    if not directory.is_dir():
        raise PublishingError(f"There is no directory to publish: {directory}")
    if not (repository / "HEAD").exists():
        repository.parent.mkdir(parents=True, exist_ok=True)
        git(["init", "--quiet", "--bare", f"--initial-branch={branch}", str(repository)])
    with tempfile.TemporaryDirectory(prefix="greenroom-publish-") as scratch:
        exclude = Path(scratch) / "exclude"
        exclude.write_text(NEVER_PUBLISHED, encoding="utf-8")
        tree = tree_of(repository, directory, Path(scratch) / "index", exclude)
    return commit(repository, tree, branch, directory.name)


def tree_of(repository: Path, directory: Path, index: Path, exclude: Path) -> str:
    """Store a directory's content and return the tree's id."""
    place = {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(directory), "GIT_INDEX_FILE": str(index)}
    options = ["-c", f"core.excludesFile={exclude}", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false"]
    git([*options, "add", "--all", "."], place, cwd=directory)
    return git(["write-tree"], place)


def commit(repository: Path, tree: str, branch: str, subject: str) -> str:
    """Put a tree on a branch, unless it is what the branch shows already."""
    place, reference = {"GIT_DIR": str(repository)}, f"refs/heads/{branch}"
    parent = git(["for-each-ref", "--format=%(objectname)", reference], place)
    if parent and git(["rev-parse", f"{parent}^{{tree}}"], place) == tree:
        return parent
    count = int(git(["rev-list", "--count", parent], place)) if parent else 0
    date = f"{FIRST_DATE + count * MINUTE_S} +0000"
    signature = {
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": date,
    }
    ancestry = ["-p", parent] if parent else []
    made = git(["commit-tree", tree, *ancestry, "-m", f"Publish {subject}"], place | signature)
    git(["update-ref", reference, made, parent or "0" * len(made)], place)
    return made


def git(arguments: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run git without anyone's configuration and return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        env=inherited | alone | (environment or {}),
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PublishingError(f"git {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
