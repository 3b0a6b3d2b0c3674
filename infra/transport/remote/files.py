"""Files on the host: what is there, and writing in a way that a cut in the middle leaves the old file whole."""

from __future__ import annotations

__all__ = ["directory_act", "file_fact", "instant", "remove_act", "replace_file", "write_act"]

import grp
import hashlib
import hmac
import os
import pwd
import stat
import time

from infra.transport.remote.report import parse_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter


def file_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell what stands at a path: kind, mode, owner, and a digest of the content (keyed when a key is given).

    With `variables` the file is an env file, and each of its variables is told by a keyed digest of its own.
    """
    path: str = probe["path"]
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False, "kind": "", "mode": "", "owner": "", "uid": "", "group": "", "digest": ""}
    kind = "directory" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "other"
    fact: dict[str, Any] = {
        "exists": True,
        "kind": kind,
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": _user_name(found.st_uid),
        "uid": str(found.st_uid),
        "group": _group_name(found.st_gid),
        "digest": "",
        # A change of mode or owner moves only the inode's time, one of the content both.
        "changed_at": instant(found.st_ctime),
    }
    if kind == "file":
        with open(path, "rb") as stream:  # noqa: PTH123
            content = stream.read()
        key = bytes.fromhex(probe.get("key", ""))
        fact["digest"] = hmac.new(key, content, "sha256").hexdigest() if key else hashlib.sha256(content).hexdigest()
        if probe.get("variables"):
            fact["variables"] = _digests(content, key)
        if probe.get("content"):
            fact["content"] = content.decode(errors="replace")
    return fact


def instant(seconds: float) -> str:
    """Return a time of this host's clock as RFC 3339, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _digests(content: bytes, key: bytes) -> dict[str, str]:
    """Digest each variable together with its name, so that equal values do not look equal."""
    pairs = parse_env(content.decode(errors="surrogateescape"))
    return {
        name: hmac.new(key, f"{name}={value}".encode(errors="surrogateescape"), "sha256").hexdigest()[:16]
        for name, value in pairs
    }


def write_act(act: dict[str, Any], report: Reporter) -> None:
    """Write a file: a temporary one beside it gets content, owner and mode, is synced, then takes the name."""
    del report
    import base64  # noqa: PLC0415 (a look writes nothing)

    uid, gid = _ids(str(act["owner"]))
    replace_file(act["path"], base64.b64decode(act["content"]), uid, gid, int(str(act["mode"]), 8))


def replace_file(path: str, content: bytes, uid: int, gid: int, mode: int) -> None:
    """Write a file in a way that a cut in the middle leaves the old one whole."""
    import tempfile  # noqa: PLC0415 (a look writes nothing)

    folder = os.path.dirname(path)  # noqa: PTH120
    handle, temporary = tempfile.mkstemp(prefix=".greenroom.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise
    _sync_directory(folder)


def directory_act(act: dict[str, Any], report: Reporter) -> None:
    """Make a directory, or correct the owner and mode of the one that is there; never of what is in it."""
    del report
    path: str = act["path"]
    if act.get("keep") and os.path.isdir(path):  # noqa: PTH112
        return
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    uid, gid = _ids(str(act["owner"]))
    os.chown(path, uid, gid)
    os.chmod(path, int(str(act["mode"]), 8))  # noqa: PTH101


def remove_act(act: dict[str, Any], report: Reporter) -> None:
    """Remove a file or a tree; nothing there is as good."""
    del report
    path: str = act["path"]
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        import shutil  # noqa: PLC0415 (a look removes nothing)

        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108


def _sync_directory(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _ids(owner: str) -> tuple[int, int]:
    """Return the ids for a user name or a bare number; a number without an account is its own group."""
    if owner.isdigit():
        try:
            return int(owner), pwd.getpwuid(int(owner)).pw_gid
        except KeyError:
            return int(owner), int(owner)
    entry = pwd.getpwnam(owner)
    return entry.pw_uid, entry.pw_gid


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
