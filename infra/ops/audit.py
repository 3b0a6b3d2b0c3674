"""The audit log: who changed what, why, and what came of it, in a chain that nobody without the passphrase can write.

`audit.jsonl` holds one canonical JSON line an entry. Each carries its number, the MAC of the entry before it, and its
own MAC (HMAC-SHA-256) over all of that, so that an edit, a drop, a swap or a second copy breaks the chain where it was
made. `audit.head.json` holds how many entries there are and the last MAC, under a MAC of its own: a log that was cut
at its end no longer meets its head. Both put back together to an older day are met by the head's copy on the droplet.

The keys come from the stack's passphrase by scrypt (RFC 7914), because a MAC is something to try passphrases on, and
HKDF (RFC 5869), one for entries and one for heads. The salt stands in the first entry.

An entry is written, flushed to the disk, and only then counted in the head. A process that is killed in between leaves
a line without its end, which no head counts: that is told as torn, and the next entry puts it right and says so. A
whole line that no head counts yet is good, as only the key's holder can have written it.
"""

from __future__ import annotations

__all__ = ["HEAD", "LOG", "Audit", "Entry", "Head", "Trouble", "actor"]

import contextlib
import fcntl
import getpass
import hashlib
import hmac
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.durable import save
from infra.redaction import PROCESS, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

SCHEMA = "greenroom/audit/1"
LOG, HEAD = "audit.jsonl", "audit.head.json"
SALT_BYTES = 16
SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""The interactive parameters of RFC 7914: 16 MiB and some 50 ms a try."""
START = "0" * 64
"""What stands before the first entry."""


@dataclass(frozen=True)
class Entry:
    """One act, as it is written."""

    seq: int
    at: str
    actor: str
    verb: str
    subject: str
    arguments: Mapping[str, Any]
    why: str
    before: str
    after: str
    outcome: str
    incident: str
    prev: str
    mac: str = ""


@dataclass(frozen=True)
class Head:
    """How far the log reaches: the number of its entries and the last one's MAC, under a MAC of its own."""

    count: int
    last: str
    mac: str

    @property
    def text(self) -> str:
        """The head as it is written, here and on the droplet."""
        return _canonical(asdict(self)) + "\n"


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it was written."""

    line: int
    """Counted from 1; 0 where it is about the log as a whole."""
    what: str
    tampered: bool = True
    """False where a cut of power or of the process explains it."""


@dataclass(frozen=True)
class _Keys:
    entries: bytes
    heads: bytes


@dataclass
class _Read:
    """The log as it stands on the disk."""

    lines: list[bytes] = field(default_factory=list[bytes])
    torn: bytes = b""


def actor() -> str:
    """Say who acts: the user, who they were before they became root, and the controller's name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    before = os.environ.get("SUDO_USER", "")
    return f"{user}{f' ({before})' if before and before != user else ''}@{socket.gethostname()}"


class Audit:
    """The log of one stack, in a directory of the controller. Safe to use by several processes at once."""

    def __init__(
        self,
        directory: Path,
        passphrase: str,
        *,
        redactor: Redactor = PROCESS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log, self._head = directory / LOG, directory / HEAD
        self._passphrase, self._redactor, self._now = passphrase, redactor, now
        self._known: dict[str, _Keys] = {}

    def append(
        self,
        verb: str,
        subject: str,
        *,
        arguments: Mapping[str, Any] | None = None,
        why: str = "",
        before: str = "",
        after: str = "",
        outcome: str = "succeeded",
        incident: str = "",
    ) -> Entry:
        """Write one entry, masked, and have it on the disk before this returns. OSError where that can't be done."""
        with self._alone():
            found = self._read()
            last = _parsed(found.lines[-1]) if found.lines else None
            if last is None and found.lines:
                last = {"seq": len(found.lines), "mac": START}  # damaged: the chain is broken, and the log goes on
            if found.torn:
                self._log_cut(len(found.torn))
            if last is not None and len(found.lines) == 1 and not self._head.exists():
                self._count(last)  # whoever began the log was killed before its head
            if last is None:
                last = self._add(None, "start", subject="", arguments={"schema": SCHEMA, "salt": _salt()})
            if found.torn:
                note = {"bytes": len(found.torn), "sha256": hashlib.sha256(found.torn).hexdigest()}
                last = self._add(last, "recover", subject=LOG, arguments=note, why="the last line had no end")
            told: dict[str, Any] = {"why": why, "before": before, "after": after, "outcome": outcome}
            written = self._add(last, verb, subject=subject, arguments=arguments or {}, incident=incident, **told)
            return Entry(**written)

    def entries(self) -> list[Entry]:
        """Return what can be read of the log, verified or not; a line that is none is left out."""
        parsed = (_parsed(line) for line in self._read().lines)
        return [Entry(**each) for each in parsed if each is not None]

    def head(self) -> Head | None:
        """Return the head on this controller; None where there is none that can be read."""
        try:
            return head_of(self._head.read_bytes().decode(errors="replace"))
        except OSError:
            return None

    def verify(self, mirror: Head | None = None) -> list[Trouble]:
        """Return everything that is not as it was written; with the droplet's head, also what both copies here lack.

        An empty log beside no head is no trouble: nothing was ever recorded.
        """
        found = self._read()
        troubles: list[Trouble] = []
        keys = self._keys_in(found)
        if not found.lines and not self._head.exists():
            if mirror:
                troubles.append(Trouble(0, f"the droplet's head counts {mirror.count}; there is no log"))
        elif keys is None:
            troubles.append(Trouble(1, "the log does not begin with its first entry"))
        else:
            troubles += _in_chain(found.lines, keys)
            if len(found.lines) == 1 and not self._head.exists():
                troubles.append(Trouble(1, "the log was only just begun: it has no head yet", tampered=False))
            else:
                troubles += _against(self.head(), found.lines, keys, "the head")
            if mirror:
                troubles += _against(mirror, found.lines, keys, "the droplet's head")
        if found.torn:
            why = "the last line has no end: torn while it was written"
            troubles.append(Trouble(len(found.lines) + 1, why, tampered=False))
        return troubles

    # ---- writing

    def _add(self, last: Mapping[str, Any] | None, verb: str, *, subject: str, **told: Any) -> dict[str, Any]:
        """Write the entry after `last`, then the head that counts it."""
        blank = {"arguments": {}, "why": "", "before": "", "after": "", "outcome": "succeeded", "incident": ""}
        entry: dict[str, Any] = {
            "seq": int(last["seq"]) + 1 if last else 1,
            "at": self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "actor": actor(),
            "verb": verb,
            "subject": subject,
            **blank,
            **told,
            "prev": str(last["mac"]) if last else START,
        }
        entry = _masked(entry, self._redactor)
        salt = str(entry["arguments"]["salt"]) if last is None else self._salt_on_disk()
        keys = self._keys(salt)
        entry["mac"] = _mac(keys.entries, entry)
        with self._log.open("ab") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(_canonical(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._count(entry)
        return entry

    def _count(self, entry: Mapping[str, Any]) -> None:
        """Write the head that counts the log up to this entry."""
        count, mac = int(entry["seq"]), str(entry["mac"])
        keys = self._keys(self._salt_on_disk())
        save(self._head, Head(count, mac, _mac(keys.heads, {"count": count, "last": mac})).text)

    def _log_cut(self, torn: int) -> None:
        with self._log.open("r+b") as file:
            file.truncate(self._log.stat().st_size - torn)

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.with_suffix(".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # ---- reading

    def _read(self) -> _Read:
        try:
            content = self._log.read_bytes()
        except FileNotFoundError:
            return _Read()
        *lines, rest = content.split(b"\n")
        return _Read(lines, rest)

    def _salt_on_disk(self) -> str:
        lines = self._read().lines
        first = _parsed(lines[0]) if lines else None
        return str((first or {}).get("arguments", {}).get("salt", ""))

    def _keys_in(self, found: _Read) -> _Keys | None:
        first = _parsed(found.lines[0]) if found.lines else None
        salt = first["arguments"].get("salt") if first and first["verb"] == "start" else None
        return self._keys(salt) if isinstance(salt, str) else None

    def _keys(self, salt: str) -> _Keys:
        if salt not in self._known:
            self._known[salt] = _derived(self._passphrase, salt)
        return self._known[salt]


def head_of(text: str) -> Head | None:
    """Return the head that a file holds, byte for byte; None where it is none."""
    try:
        found: dict[str, Any] = json.loads(text)
        head = Head(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    typed = isinstance(found["count"], int) and isinstance(found["last"], str) and isinstance(found["mac"], str)
    return head if typed and head.text == text else None


def _derived(passphrase: str, salt: str) -> _Keys:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - verbs that change nothing don't pay
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand  # noqa: PLC0415 - as above

    secret = hashlib.scrypt(passphrase.encode(), salt=salt.encode(), **SCRYPT)

    def expand(purpose: str) -> bytes:
        return HKDFExpand(algorithm=SHA256(), length=32, info=f"{SCHEMA} {purpose}".encode()).derive(secret)

    return _Keys(expand("entries"), expand("heads"))


def _in_chain(lines: list[bytes], keys: _Keys) -> list[Trouble]:
    """Hold each line against the one before it."""
    troubles: list[Trouble] = []
    prev = START
    for number, line in enumerate(lines, start=1):
        entry = _parsed(line)
        if entry is None:
            troubles.append(Trouble(number, "not an entry"))
            prev = ""
            continue
        mac = str(entry["mac"])
        if not _same(mac, _mac(keys.entries, entry)):
            troubles.append(Trouble(number, f"entry {entry['seq']} was edited: its MAC does not hold"))
        elif entry["seq"] != number or entry["prev"] != prev:
            troubles.append(Trouble(number, f"entry {entry['seq']} does not follow the one before it"))
        prev = mac
    return troubles


def _against(head: Head | None, lines: list[bytes], keys: _Keys, whose: str) -> list[Trouble]:
    """Hold the log against a head. A log that goes on after it is good: the chain proves the rest."""
    if head is None:
        return [Trouble(0, f"{whose} is missing or is none")]
    if head.count < 1 or not _same(head.mac, _mac(keys.heads, {"count": head.count, "last": head.last})):
        return [Trouble(0, f"{whose} was edited: its MAC does not hold")]
    if head.count > len(lines):
        return [Trouble(len(lines), f"{whose} counts {head.count} entries; the log ends after {len(lines)}")]
    counted = _parsed(lines[head.count - 1])
    if counted is None or counted["mac"] != head.last:
        return [Trouble(head.count, f"{whose} counts another entry here")]
    return []


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return a line's entry if it is one, written exactly as this module writes it."""
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict) or _canonical(entry).encode() != line:
            return None
        Entry(**entry)
        typed = isinstance(entry["seq"], int) and isinstance(entry["arguments"], dict)
    except (ValueError, TypeError, RecursionError):
        return None
    return entry if typed else None


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _mac(key: bytes, value: Mapping[str, Any]) -> str:
    content = {name: each for name, each in value.items() if name != "mac"}
    return hmac.new(key, _canonical(content).encode(), hashlib.sha256).hexdigest()


def _same(given: str, made: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), made.encode())


def _masked(value: Any, redactor: Redactor) -> Any:
    """Mask every text in a value; what is no plain data becomes text first."""
    if isinstance(value, dict):
        return {redactor.mask(str(key)): _masked(each, redactor) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, redactor) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redactor.mask(str(value))


def _salt() -> str:
    return secrets.token_hex(SALT_BYTES)
