"""The two ways out of the process: data on standard output, talk on standard error, both masked."""

from __future__ import annotations

__all__ = ["Console"]

import json
import os
import sys
import threading
from typing import IO, Any

from infra.redaction import PROCESS, Redactor

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Console:
    """Prints through a redactor. Colours only where a terminal reads them and NO_COLOR does not forbid it."""

    def __init__(
        self, out: IO[str] | None = None, err: IO[str] | None = None, redactor: Redactor | None = None
    ) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self.redactor = redactor or PROCESS
        self.is_live = self._err.isatty() and os.environ.get("TERM") != "dumb"
        self._colours = self.is_live and not os.environ.get("NO_COLOR")
        self._lock = threading.RLock()
        self._status = ""

    def style(self, text: str, *names: str) -> str:
        """Colour a text for standard error."""
        if not self._colours or not names:
            return text
        return f"\033[{';'.join(_STYLES[name] for name in names)}m{text}\033[0m"

    def data(self, text: str) -> None:
        """Print what was asked for."""
        with self._lock:
            self._clear()
            self._out.write(self.redactor.mask(text) + "\n")
            self._out.flush()

    def document(self, value: Any, *, revealed: bool = False) -> None:
        """Print one JSON document; `revealed` skips the mask, for a secret that was asked for by name."""
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        with self._lock:
            self._clear()
            self._out.write((text if revealed else self.redactor.mask(text)) + "\n")
            self._out.flush()

    def say(self, text: str = "") -> None:
        """Print talk."""
        with self._lock:
            self._clear()
            self._err.write(self.redactor.mask(text) + "\n")
            self._draw()
            self._err.flush()

    def status(self, text: str) -> None:
        """Show what runs now on the terminal's last line; nothing where there is no terminal."""
        if not self.is_live:
            return
        with self._lock:
            self._clear()
            self._status = self.redactor.mask(text)
            self._draw()
            self._err.flush()

    def _clear(self) -> None:
        if self._status:
            self._err.write("\r\033[K")

    def _draw(self) -> None:
        if self._status:
            width = os.get_terminal_size(self._err.fileno()).columns if self.is_live else 80
            self._err.write(self._status[: max(20, width - 1)])
