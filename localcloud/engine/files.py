"""Writing files so that a crash leaves the old content or the new, never a part."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace the file's content; when `durable`, it is on the disk before this returns.

    The temporary name does not end in `.json`, because the CLI lists every such file as a stack.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Put a directory's entries on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_document(value: Any, *, readable: bool = True) -> str:
    """Return a document as the text that the state's files hold; not `readable` is five times as fast."""
    return json.dumps(value, indent=4 if readable else None, ensure_ascii=False) + "\n"
