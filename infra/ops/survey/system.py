"""A script for the host: accounts, files, kernel settings, services, sshd, firewall and logging, as they are in force.

Where a program knows the effective value it is asked (`sshd -T`, `nft -j`, `systemd-analyze cat-config`), so that a
drop-in file counts. Password hashes stay where they are: of an account only the kind of its password is told.
"""

from __future__ import annotations

__all__ = ["main"]

import contextlib
import glob
import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

FILES = (
    *("/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/shadow", "/etc/shadow-", "/etc/gshadow"),
    *("/etc/gshadow-", "/etc/shells", "/etc/security/opasswd", "/etc/crontab", "/etc/cron.hourly", "/etc/cron.daily"),
    *("/etc/cron.weekly", "/etc/cron.monthly", "/etc/cron.d", "/etc/cron.allow", "/etc/cron.deny", "/etc/at.allow"),
    *("/etc/at.deny", "/etc/ssh/sshd_config", "/etc/motd", "/etc/issue", "/etc/issue.net", "/etc/sudoers", "/root"),
    *("/tmp", "/var/tmp"),  # noqa: S108 (looked at, not used)
    *("/etc/docker", "/etc/docker/daemon.json", "/etc/default/docker", "/run/docker.sock", "/run/containerd"),
    *("/run/containerd/containerd.sock", "/var/log/journal", "/boot/grub/grub.cfg", "/etc/containerd"),
    *("/etc/containerd/config.toml", "/var/lib/greenroom/key", "/var/log"),
)
PATTERNS = (
    *(
        "/etc/ssh/sshd_config.d/*",
        "/etc/ssh/*_key",
        "/etc/ssh/*_key.pub",
        "/etc/sudoers.d/*",
        "/etc/docker/certs.d/*/*",
    ),
    *("/usr/lib/systemd/system/docker.service", "/usr/lib/systemd/system/docker.socket"),
    *("/etc/systemd/system/docker.service", "/etc/systemd/system/docker.service.d/*.conf"),
)
TEXTS = (
    *("/etc/motd", "/etc/issue", "/etc/issue.net", "/etc/login.defs", "/etc/shells", "/etc/pam.d/common-auth"),
    *("/etc/pam.d/common-password", "/etc/pam.d/su", "/etc/profile", "/etc/bash.bashrc", "/etc/default/useradd"),
)
TEXT_PATTERNS = (
    *("/etc/profile.d/*.sh", "/etc/security/limits.conf", "/etc/security/limits.d/*.conf", "/etc/sudoers"),
    *("/etc/sudoers.d/*", "/etc/apt/sources.list", "/etc/apt/sources.list.d/*"),
)
_KEY_FILES = ("authorized_keys", "authorized_keys2")
"""What sshd reads where its configuration does not say otherwise."""
SYSCTLS = (
    *("fs.protected_hardlinks", "fs.protected_symlinks", "fs.suid_dumpable", "kernel.dmesg_restrict"),
    *("kernel.kptr_restrict", "kernel.randomize_va_space", "kernel.yama.ptrace_scope", "net.ipv4.ip_forward"),
    *("net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.all.accept_source_route", "net.ipv4.conf.all.log_martians"),
    *("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.all.secure_redirects", "net.ipv4.conf.all.send_redirects"),
    *("net.ipv4.conf.default.accept_redirects", "net.ipv4.conf.default.accept_source_route"),
    *("net.ipv4.conf.default.log_martians", "net.ipv4.conf.default.rp_filter"),
    *("net.ipv4.conf.default.secure_redirects", "net.ipv4.conf.default.send_redirects"),
    *("net.ipv4.icmp_echo_ignore_broadcasts", "net.ipv4.icmp_ignore_bogus_error_responses", "net.ipv4.tcp_syncookies"),
    *("net.ipv6.conf.all.accept_ra", "net.ipv6.conf.all.accept_redirects", "net.ipv6.conf.all.accept_source_route"),
    *("net.ipv6.conf.default.accept_ra", "net.ipv6.conf.default.accept_redirects"),
    *("net.ipv6.conf.default.accept_source_route",),
)
SYSCTL_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
MODPROBE_DIRECTORIES = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d")
COMMANDS: dict[str, list[str]] = {
    "virtualisation": ["systemd-detect-virt"],
    "kernel": ["uname", "-r"],
    "sshd": ["/usr/sbin/sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1"],
    "nftables": ["nft", "-j", "list", "ruleset"],
    "packages": ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n"],
    "units": ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full"],
    "unit_files": ["systemctl", "list-unit-files", "--no-legend", "--full"],
    "listening": ["ss", "-Hltun"],
    "apt": ["apt-config", "dump"],
    "journald": ["systemd-analyze", "cat-config", "systemd/journald.conf"],
    "coredump": ["systemd-analyze", "cat-config", "systemd/coredump.conf"],
    "root_login": [
        "env",
        "-i",
        "HOME=/root",
        "TERM=dumb",
        "bash",
        "-lc",
        'printf "%s\\n" "$PATH" "$(umask)" "${TMOUT:-}"',
    ],
}
TREE_LIMIT = 50
"""How many names of each kind of finding in the file system are told."""
SKIPPED = ("/proc", "/sys", "/dev", "/run", "/var/lib/docker", "/var/lib/containerd")


def main() -> None:
    """Print everything as one JSON document."""
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(COMMANDS, pool.map(_run, COMMANDS.values()), strict=True))
        tree = pool.submit(_tree)
        document = {
            "virtualisation": answers["virtualisation"].strip() or "none",
            "kernel": answers["kernel"].strip(),
            "modules_directory": os.path.isdir(f"/lib/modules/{os.uname().release}"),
            "apparmor": _text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
            "sshd": _pairs(answers["sshd"]),
            "nftables": _json(answers["nftables"]),
            "packages": sorted(line[3:] for line in answers["packages"].splitlines() if line.startswith("ii ")),
            "units": _units(answers["units"], answers["unit_files"]),
            "listening": [line.split() for line in answers["listening"].splitlines()],
            "apt": answers["apt"].splitlines(),
            "journald": _ini(answers["journald"]),
            "coredump": _ini(answers["coredump"]),
            "root_login": answers["root_login"].splitlines(),
            "root_path": _root_path(answers["root_login"]),
            "sysctl": {name: _text(f"/proc/sys/{name.replace('.', '/')}").strip() for name in SYSCTLS},
            "sysctl_written": _sysctl_written(),
            "modules": _modules(),
            "mounts": _mounts(),
            "files": {path: found for path in _paths(FILES, PATTERNS) if (found := _status(path))},
            "texts": {path: _text(path) for path in _paths(TEXTS, TEXT_PATTERNS) if os.path.isfile(path)},
            "accounts": _accounts(),
            "groups": [[each.gr_name, each.gr_gid, each.gr_mem] for each in grp.getgrall()],
            "homes": _homes(),
            "keyrings": _keyrings(),
            "tree": tree.result(),
        }
    json.dump(document, sys.stdout)


def _run(argv: list[str]) -> str:
    """Return what a program prints; nothing where it is missing or fails, and the statement about it then fails."""
    try:
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pairs(text: str) -> dict[str, list[str]]:
    """Return `key value` lines as lists by key, in lower case."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        found.setdefault(key.lower(), []).append(value)
    return found


def _ini(text: str) -> dict[str, str]:
    """Return the settings of concatenated configuration files: the last one counts."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith(("#", ";"))]
    return {key.strip(): value.strip() for key, _, value in pairs}


def _units(listed: str, files: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in files.splitlines():
        parts = line.split()
        found[parts[0]] = {"enabled": parts[1], "active": "inactive"}
    for line in listed.splitlines():
        parts = line.split()
        found.setdefault(parts[0], {"enabled": "", "active": ""})["active"] = parts[2]
    return found


def _layered(directories: tuple[str, ...]) -> list[str]:
    """Return configuration files in the order in which they count: by name, an earlier directory hiding later ones."""
    chosen: dict[str, str] = {}
    for directory in directories:
        for path in glob.glob(f"{directory}/*.conf"):
            chosen.setdefault(os.path.basename(path), path)
    return [chosen[name] for name in sorted(chosen)]


def _sysctl_written() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in [*_layered(SYSCTL_DIRECTORIES), "/etc/sysctl.conf"]:
        for line in _text(path).splitlines():
            key, equals, value = line.strip().lstrip("-").partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                found[key.strip().replace("/", ".")] = value.strip()
    return found


def _modules() -> dict[str, list[str]]:
    """Return which kernel modules are loaded, and which modprobe is told not to load."""
    refused: list[str] = []
    for path in _layered(MODPROBE_DIRECTORIES):
        refused += re.findall(r"^\s*install\s+(\S+)\s+\S*/(?:false|true)\b", _text(path), re.MULTILINE)
    loaded = [line.split()[0] for line in _text("/proc/modules").splitlines()]
    return {"loaded": loaded, "refused": [each.replace("-", "_") for each in refused]}


def _mounts() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _text("/proc/self/mounts").splitlines():
        _, place, kind, options, *_ = line.split()
        found[place] = [kind, *options.split(",")]
    return found


def _paths(names: tuple[str, ...], patterns: tuple[str, ...]) -> list[str]:
    return [*names, *(path for pattern in patterns for path in sorted(glob.glob(pattern)))]


def _status(path: str) -> dict[str, Any] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return {
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "owner": _name_of(found.st_uid),
        "group": _group_of(found.st_gid),
        "directory": stat.S_ISDIR(found.st_mode),
    }


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group_of(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _accounts() -> list[dict[str, Any]]:
    """Return every account with the kind of its password (empty, locked, or the hash's method), never the hash."""
    shadow = {line.split(":")[0]: line.split(":") for line in _text("/etc/shadow").splitlines() if ":" in line}
    found: list[dict[str, Any]] = []
    for line in _text("/etc/passwd").splitlines():
        name, field, uid, gid, _, home, shell = line.split(":")
        entry = shadow.get(name)
        found.append(
            {
                "name": name,
                "uid": int(uid),
                "gid": int(gid),
                "home": home,
                "shell": shell,
                "shadowed": field == "x",
                "password": _kind(entry[1]) if entry else "missing",
                "changed": int(entry[2]) if entry and entry[2] else 0,
            }
        )
    return found


def _kind(secret: str) -> str:
    if not secret:
        return "empty"
    if secret.startswith(("!", "*")):
        return "locked"
    return secret.split("$")[1] if secret.startswith("$") else "unknown"


def _homes() -> list[dict[str, Any]]:
    """Return the homes of those who can log in, with their keys and what dot files are too open."""
    found: list[dict[str, Any]] = []
    for each in pwd.getpwall():
        if os.path.basename(each.pw_shell) in ("nologin", "false", "sync", ""):
            continue
        home = each.pw_dir
        names = [name for name in (os.listdir(home) if os.path.isdir(home) else []) if name.startswith(".")]
        dots = {name: _status(f"{home}/{name}") for name in names}
        found.append(
            {
                "account": each.pw_name,
                "uid": each.pw_uid,
                "path": home,
                "status": _status(home),
                "ssh": _status(f"{home}/.ssh"),
                "keys": _status(f"{home}/.ssh/authorized_keys"),
                "opened_by": [key for name in _KEY_FILES for key in _keys(f"{home}/.ssh/{name}")],
                "dots": {name: seen for name, seen in dots.items() if seen and not seen["directory"]},
            }
        )
    return found


def _keys(path: str) -> list[str]:
    """Return the lines of a file of public keys that say something."""
    lines = [line.strip() for line in _text(path).split("\n")]
    return [line for line in lines if line and not line.startswith("#")]


def _root_path(answer: str) -> list[dict[str, Any]]:
    """Return the directories of root's PATH in a login shell."""
    words = answer.splitlines()[0].split(":") if answer else []
    return [{"path": word, "status": _status(word) if word.startswith("/") else None} for word in words]


def _keyrings() -> list[str]:
    places = ("/etc/apt/trusted.gpg.d/*", "/etc/apt/keyrings/*", "/usr/share/keyrings/*")
    return [path for pattern in places for path in glob.glob(pattern)]


def _tree() -> dict[str, list[str]]:
    """Walk the root file system once: what anybody may write, what belongs to nobody, what runs as its owner."""
    users, groups = {each.pw_uid for each in pwd.getpwall()}, {each.gr_gid for each in grp.getgrall()}
    device = os.stat("/").st_dev
    found: dict[str, list[str]] = {"writable": [], "unsticky": [], "unowned": [], "setuid": []}
    waiting = ["/"]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # gone in between
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != device or entry.path in SKIPPED:
                        continue
                    _judge(entry.path, status, users, groups, found)
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
    return {kind: sorted(paths)[:TREE_LIMIT] for kind, paths in found.items()}


def _judge(path: str, status: os.stat_result, users: set[int], groups: set[int], found: dict[str, list[str]]) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        found["writable"].append(path)
    if stat.S_ISDIR(mode) and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found["unsticky"].append(path)
    if status.st_uid not in users or status.st_gid not in groups:
        found["unowned"].append(path)
    if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
        found["setuid"].append(path)


if __name__ == "__main__":
    main()
