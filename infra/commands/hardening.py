"""What a hardened host has on disk: the files, their owners and modes, and how a change of the ways in is wired.

Two kinds of file: those that decide who gets in (sshd, the firewall) are changed under guard, see
`infra.transport.remote.confirm`; the others are just written. Texts are in `templates/hardening`, word for word.
"""

from __future__ import annotations

__all__ = [
    "CRON",
    "DEFS",
    "FILES",
    "FIREWALL",
    "HIDDEN",
    "PACKAGES",
    "PAM",
    "TABLE",
    "TIGHT",
    "TIMERS",
    "File",
    "daemon_json",
    "defs",
    "files",
    "guard",
    "recipe",
    "sysctl",
    "text",
]

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.commands import kernel, sshd
from infra.commands.acts import Act
from infra.commands.templates import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class File(NamedTuple):
    """A file that root owns."""

    path: str
    template: str
    mode: str = "0644"


PACKAGES = (
    *("aide", "apt-listchanges", "cron", "debsums", "libpam-pwquality", "libpam-tmpdir", "needrestart"),
    *("nftables", "unattended-upgrades", "usbguard"),
)
"""Beside those of the baseline."""
TABLE = "inet greenroom"
FIREWALL = (
    File("/etc/nftables.conf", "nftables.conf", "0640"),
    File("/etc/systemd/system/nftables.service.d/greenroom.conf", "nftables.service"),
)
FILES = (
    File("/etc/issue", "issue"),
    File("/etc/issue.net", "issue"),
    File("/etc/aide/aide.conf", "aide.conf", "0600"),
    File("/etc/apt/apt.conf.d/52greenroom", "apt.conf"),
    File("/etc/default/debsums", "debsums"),
    File("/etc/modprobe.d/greenroom.conf", "modprobe.conf"),
    File("/etc/needrestart/conf.d/greenroom.conf", "needrestart.conf"),
    File("/etc/profile.d/greenroom.sh", "profile.sh"),
    File("/etc/security/limits.d/10-coredump-debian.conf", "limits.conf"),  # Debian's own allows them
    File("/etc/security/limits.d/greenroom.conf", "limits.conf"),
    File("/etc/security/pwquality.conf.d/greenroom.conf", "pwquality.conf"),
    File("/etc/sudoers.d/greenroom", "sudoers", "0440"),
    File("/etc/systemd/coredump.conf.d/greenroom.conf", "coredump.conf"),
    File("/etc/systemd/journald.conf.d/zz-greenroom.conf", "journald.conf"),
    File("/etc/systemd/system/docker-.scope.d/greenroom.conf", "scope.conf"),
    File("/etc/systemd/system/greenroom-aide.service", "aide.service"),
    File("/etc/systemd/system/greenroom-aide.timer", "aide.timer"),
    File("/etc/systemd/system/tmp.mount.d/greenroom.conf", "tmp.mount"),
    File("/etc/systemd/system/usbguard.service.d/greenroom.conf", "usbguard.service"),
    File("/etc/usbguard/usbguard-daemon.conf", "usbguard-daemon.conf", "0600"),
    File("/etc/usbguard/rules.conf", "usbguard.rules", "0600"),
    File("/etc/cron.allow", "allow", "0600"),
    File("/etc/at.allow", "allow", "0600"),
)
CRON = ("/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.monthly", "/etc/cron.weekly")
TIGHT: dict[str, str] = {
    **dict.fromkeys(CRON, "0700"),
    "/etc/cron.yearly": "0700",
    "/etc/crontab": "0600",
    "/etc/ssh/sshd_config": "0600",
    "/etc/sudoers.d": "0750",
    "/boot/grub/grub.cfg": "0600",
}
"""Modes of what distributions leave open; a path that a host does not have is passed over."""
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "greenroom-aide.timer")
HIDDEN = "/proc proc nosuid,nodev,noexec,hidepid=invisible 0 0"
"""The rest of proc's line in fstab: accounts see their own processes, and no other's arguments."""
DEFS = {
    "UMASK": "027",
    "SHA_CRYPT_MIN_ROUNDS": "65536",
    "FAILLOG_ENAB": "yes",
    # useradd copies it to accounts that only have a key too, and sshd would refuse those on that day: see `ages`.
    "PASS_MAX_DAYS": "365",
    "PASS_MIN_DAYS": "1",
    "PASS_WARN_AGE": "7",
}
PAM = "/usr/share/pam-configs/unix"
"""Where Debian's `pam-auth-update` takes the words for pam_unix from."""
_DAEMON: dict[str, Any] = {
    # Containers outlive their daemon: an update or a crash of dockerd takes no service down.
    "live-restore": True,
    # The engine reads the rest when it starts. It is in a droplet's user data too, so that the first start has it.
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 8192, "Hard": 16384}},
    "icc": False,
    "log-driver": "json-file",
    "log-opts": {"max-file": "3", "max-size": "10m"},
    "no-new-privileges": True,
}
_TEMPLATES = TEMPLATES / "hardening"


def text(name: str) -> str:
    """Return a file's text."""
    return (_TEMPLATES / name).read_text()


def recipe() -> str:
    """Return a digest of all that is wanted, so that a change of it shows in a preview."""
    own = [*sorted(_TEMPLATES.iterdir())]
    parts = [each.read_bytes() for each in own]
    rules: list[Any] = [FIREWALL, FILES, TIGHT, TIMERS, DEFS, HIDDEN, _DAEMON, kernel.PARAMETERS]
    configured = sshd.sshd_config(version=(99, 0), kex=[], exempt=[])
    return hashlib.sha256(b"\0".join([*parts, json.dumps(rules).encode(), configured.encode()])).hexdigest()[:16]


def daemon_json(found: str) -> str:
    """Return Docker's configuration with ours in it and everything else as it was; what dockerd can't read is gone."""
    try:
        read: Any = json.loads(found)
    except json.JSONDecodeError:
        read = None
    known: dict[str, Any] = read if isinstance(read, dict) else {}
    merged = {**known, **_DAEMON}
    return found if merged == read else json.dumps(merged, indent=2, sort_keys=True) + "\n"


def guard(
    why: str,
    change: str,
    files: Mapping[str, tuple[str, str] | None],
    *,
    aside: Sequence[str] = (),
    checks: Sequence[tuple[str, Sequence[str]]],
    apply: Sequence[Sequence[str]],
    undo: Sequence[Sequence[str]],
    within_s: int,
) -> Act:
    """Change files (path -> mode and text, or None to remove) that the host takes back unless it is confirmed.

    `change` names it, in hexadecimal. Files `aside` get another name, `PATH.aside`. `checks` are (error code, command)
    and run before `apply`.
    """
    wire = {
        "do": "guard",
        "say": "change sshd and the firewall, under guard",
        "id": change,
        "files": [*_aside(aside), *(_file(path, wanted) for path, wanted in files.items())],
        "checks": [{"code": code, "argv": list(argv)} for code, argv in checks],
        "apply": [list(argv) for argv in apply],
        "undo": [list(argv) for argv in undo],
        "within_s": within_s,
    }
    return Act(why, wire)


def files(why: str, file: File, content: str) -> Act:
    """Write a file, with the directory that it stands in."""
    return Act(why, {"do": "files", "files": [_file(file.path, (file.mode, content))]})


def sysctl(why: str, values: Mapping[str, str]) -> Act:
    """Set kernel parameters now."""
    return Act(why, {"do": "sysctl", "values": dict(values), "say": "set kernel parameters"})


def defs(why: str, path: str, values: Mapping[str, str]) -> Act:
    """Set keys in a file of `KEY value` lines."""
    return Act(why, {"do": "defs", "path": path, "values": dict(values), "say": f"set {', '.join(values)}"})


def _aside(paths: Sequence[str]) -> list[dict[str, Any]]:
    return [each for path in paths for each in ({"path": f"{path}.aside", "copy_of": path}, {"path": path})]


def _file(path: str, wanted: tuple[str, str] | None) -> dict[str, Any]:
    if wanted is None:
        return {"path": path}
    mode, content = wanted
    return {"path": path, "mode": mode, "owner": "root", "content": base64.b64encode(content.encode()).decode()}
