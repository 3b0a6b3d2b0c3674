"""One short line to standard error for each act, wherever it runs; the engine and the command line pass it on."""

from __future__ import annotations

import sys
import threading

__all__ = ["say"]

_lock = threading.Lock()


def say(subject: str, text: str) -> None:
    """Print one progress line; lines of concurrent acts never mix."""
    with _lock:
        sys.stderr.write(f"{subject}: {text}\n")
        sys.stderr.flush()
