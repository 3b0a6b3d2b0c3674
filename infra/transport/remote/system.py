"""The host's own facts: accounts, packages, host keys, and whether its first boot is over."""

from __future__ import annotations

__all__ = ["ed25519_public", "first_boot_fact", "host_keys_fact", "packages_fact", "user_fact"]

import binascii
import grp
import os
import pwd

from infra.transport.remote.processes import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEYS = "/etc/ssh"
_OTHERS = 0o077
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_ONE_OPEN_KEY = b"openssh-key-v1\0" + 2 * b"\0\0\0\4none" + b"\0\0\0\0" + b"\0\0\0\1"
_PACKAGES, _UNMERGED = "/var/lib/dpkg/status", "/var/lib/dpkg/updates"


def user_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell whether an account exists, where it lives, its groups and the keys that open it."""
    try:
        entry = pwd.getpwnam(probe["name"])
    except KeyError:
        return {"exists": False, "uid": -1, "home": "", "shell": "", "groups": [], "keys": []}
    groups = sorted(grp.getgrgid(gid).gr_name for gid in os.getgrouplist(entry.pw_name, entry.pw_gid))
    keys: list[str] = []
    path = f"{entry.pw_dir}/.ssh/authorized_keys"
    if os.path.isfile(path):  # noqa: PTH113
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            keys = [line.strip() for line in stream if line.strip() and not line.startswith("#")]
    return {
        "exists": True,
        "uid": entry.pw_uid,
        "home": entry.pw_dir,
        "shell": entry.pw_shell,
        "groups": groups,
        "keys": keys,
    }


def packages_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Return the version of each named package that is fully installed.

    Read from dpkg's own file; the program, which takes eight times as long, is asked where that does not show all.
    """
    names: list[str] = probe["names"]
    found = _installed(names)
    if len(found) == len(set(names)):
        return found
    fields = "${Package}\t${Version}\t${db:Status-Status}\n"
    finished = run(["dpkg-query", "-W", "-f", fields, *names])
    rows = (line.split("\t") for line in finished.stdout.splitlines())
    return {name: version for name, version, status in rows if status == "installed"}


def _installed(names: list[str]) -> dict[str, str]:
    """Return the versions that stand in dpkg's file, stanzas as of deb-control(5); none where changes wait beside it.

    A package that is there for two architectures is left to the program.
    """
    try:
        with open(_PACKAGES, "rb") as stream:  # noqa: PTH123
            text = b"\n\n" + stream.read()
        if os.listdir(_UNMERGED):  # noqa: PTH208 (pathlib costs start-up time)
            return {}
    except OSError:
        return {}
    found: dict[str, str] = {}
    for name in names:
        head = b"\n\nPackage: " + name.encode() + b"\n"
        start = text.find(head)
        if start < 0 or text.find(head, start + 1) >= 0:
            continue
        stanza = text[start + 2 : text.find(b"\n\n", start + 2)]
        fields = {key: value for key, _, value in (line.partition(b": ") for line in stanza.splitlines())}
        if fields.get(b"Status", b"").split()[2:] == [b"installed"]:
            found[name] = fields[b"Version"].decode()
    return found


def first_boot_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Tell how far cloud-init is: running, done, disabled, or absent where it is not installed."""
    del probe
    # What `cloud-init status` looks at too, without the second that it takes to start.
    if not os.path.exists("/usr/bin/cloud-init"):  # noqa: PTH110
        return {"status": "absent"}
    if os.path.exists("/run/cloud-init/disabled") or os.path.exists("/etc/cloud/cloud-init.disabled"):  # noqa: PTH110
        return {"status": "disabled"}
    return {"status": "done" if os.path.exists("/run/cloud-init/result.json") else "running"}  # noqa: PTH110


def host_keys_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Return the public host keys on disk, by file name.

    Under a private key's name stands what sshd would present of it: empty where it can't be read, as when others may.
    """
    del probe
    keys: dict[str, str] = {}
    for name in os.listdir(_KEYS):  # noqa: PTH208 (pathlib and glob cost start-up time)
        path = f"{_KEYS}/{name}"
        if "key" not in name.partition("host")[2]:
            continue
        text = " ".join(_lines(path)) if path.endswith(".pub") else _presented(path)
        keys[name] = " ".join(text.split()[:2])
    return keys


def _presented(path: str) -> str:
    """Return the public half of a private key; of an Ed25519 key in OpenSSH's own form without starting a program."""
    try:
        is_closed = not os.stat(path).st_mode & _OTHERS  # noqa: PTH116
        text = ed25519_public(_lines(path)) if is_closed else ""
    except (OSError, ValueError):
        text = ""
    return text or run(["ssh-keygen", "-y", "-P", "", "-f", path]).stdout


def ed25519_public(lines: list[str]) -> str:
    """Return an open Ed25519 key's public half, where both copies of it beside the secret agree; empty for all else.

    The form is that of PROTOCOL.key in OpenSSH's sources. ValueError where the lines are no base64.
    """
    body = binascii.a2b_base64("".join(lines[1:-1])) if lines[:1] == [_OPENSSH] else b""
    if not body.startswith(_ONE_OPEN_KEY):
        return ""
    public, rest = _string(body[len(_ONE_OPEN_KEY) :])
    kind, point = _string(public)
    secret, _ = _string(rest)
    checks, copy, rest = secret[:8], secret[8 : 8 + len(public)], secret[8 + len(public) :]
    seed_and_point, _ = _string(rest)
    agrees = checks[:4] == checks[4:] and copy == public and seed_and_point[32:] == point[4:]
    is_known = agrees and kind == b"ssh-ed25519" and len(seed_and_point) == 64  # noqa: PLR2004 (RFC 8032)
    return f"ssh-ed25519 {binascii.b2a_base64(public, newline=False).decode()}" if is_known else ""


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Split off the first string of SSH's (RFC 4251, section 5), or what is left of it."""
    end = 4 + int.from_bytes(data[:4], "big")
    return data[4:end], data[end:]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read().splitlines()
    except OSError:
        return []
