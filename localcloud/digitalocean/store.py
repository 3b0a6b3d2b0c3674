"""The cloud's memory: JSON documents by kind and key in one SQLite file.

One connection, one re-entrant lock: requests are short and docker work happens outside, so a single writer is enough.
A transaction that raises leaves nothing behind. Every document handed out is a copy.
"""

from __future__ import annotations

__all__ = ["Document", "Store"]

import json
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

Document = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Store:
    """Documents by kind and key, in order of creation."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; the store is unusable afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing for what happens inside; nested ones join the outer."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if outermost:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def get(self, kind: str, key: object) -> Document | None:
        """Return the document, or None."""
        with self._lock:
            row = self._db.execute("SELECT body FROM objects WHERE kind = ? AND key = ?", (kind, str(key))).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: object, body: Document) -> Document:
        """Write the document, new or known, and return it."""
        with self._lock:
            self._db.execute(
                "INSERT INTO objects (kind, key, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                (kind, str(key), json.dumps(body)),
            )
        return body

    def remove(self, kind: str, key: object) -> bool:
        """Forget the document; False when there was none."""
        with self._lock:
            cursor = self._db.execute("DELETE FROM objects WHERE kind = ? AND key = ?", (kind, str(key)))
        return cursor.rowcount > 0

    def all(self, kind: str) -> list[Document]:
        """Every document of a kind, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM objects WHERE kind = ? ORDER BY sequence", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def where(self, kind: str, field: str, value: str | int) -> list[Document]:
        """Return the documents of a kind whose top-level field has that value, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM objects WHERE kind = ? AND json_extract(body, ?) = ? ORDER BY sequence",
                (kind, f"$.{field}", value),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        """How many documents of a kind there are."""
        with self._lock:
            return self._db.execute("SELECT count(*) FROM objects WHERE kind = ?", (kind,)).fetchone()[0]

    def next_id(self, counter: str, first: int) -> int:
        """Return the next number of a counter; numbers are never handed out twice."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO counters (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (counter, first),
            ).fetchone()
        return row[0]
