"""Publishes a stack's directories to the local cloud, and asks nothing of git where no file has changed since."""

from __future__ import annotations

__all__ = ["publish_changed"]

import hashlib
import os
from typing import TYPE_CHECKING

from localcloud import cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.cli.checked import StackFacts

PASSED_OVER = {"node_modules", "__pycache__", ".venv", ".pytest_cache", ".ruff_cache"}


def publish_changed(home: Path, root: Path, facts: StackFacts) -> None:
    """Publish each directory whose files are not the ones that were published last; raises CloudError."""
    for name, directory in facts.publish.items():
        record = home / "cloud" / f"published-{name}"
        now = _fingerprint(root / directory, facts.branch)
        if record.is_file() and record.read_text(encoding="ascii") == now:
            continue
        cloud.publish(home, root / directory, name, facts.branch)
        record.write_text(now, encoding="ascii")


def _fingerprint(directory: Path, branch: str) -> str:
    """Digest names, sizes, modes and times of all files; git would be asked four times for the same."""
    digest = hashlib.sha256(f"{directory} {branch}".encode())
    for entry in _files(str(directory)):
        status = entry.stat(follow_symlinks=False)
        facts = (entry.path, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        digest.update(repr(facts).encode())
    return digest.hexdigest()


def _files(directory: str) -> Iterator[os.DirEntry[str]]:
    for entry in sorted(os.scandir(directory), key=lambda each: each.name):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in PASSED_OVER:
                yield from _files(entry.path)
        else:
            yield entry
