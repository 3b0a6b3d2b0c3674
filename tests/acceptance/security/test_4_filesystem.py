"""Files of the host: what may be mounted, who may write, whose they are (CIS Debian 12 1.1, sections 1.1 and 7.1)."""

from __future__ import annotations

from typing import Any

import pytest

GROUP = "file system"
MODULES = [
    ("debian-1.1.1.1", "cramfs"),
    ("debian-1.1.1.2", "freevxfs"),
    ("debian-1.1.1.3", "hfs"),
    ("debian-1.1.1.4", "hfsplus"),
    ("debian-1.1.1.5", "jffs2"),
    ("debian-1.1.1.8", "udf"),
    ("debian-1.1.1.9", "usb_storage"),
]
PARTITIONS = [
    ("debian-1.1.2.3.1", "/home"),
    ("debian-1.1.2.4.1", "/var"),
    ("debian-1.1.2.5.1", "/var/tmp"),
    ("debian-1.1.2.6.1", "/var/log"),
]
OPTIONS = [
    ("debian-1.1.2.1.2", "/tmp", "nodev"),
    ("debian-1.1.2.1.3", "/tmp", "nosuid"),
    ("debian-1.1.2.1.4", "/tmp", "noexec"),
    ("debian-1.1.2.2.2", "/dev/shm", "nodev"),
    ("debian-1.1.2.2.3", "/dev/shm", "nosuid"),
    ("debian-1.1.2.2.4", "/dev/shm", "noexec"),
]
FILES = [
    ("debian-7.1.1", "/etc/passwd", 0o644, ("root",)),
    ("debian-7.1.2", "/etc/passwd-", 0o644, ("root",)),
    ("debian-7.1.3", "/etc/group", 0o644, ("root",)),
    ("debian-7.1.4", "/etc/group-", 0o644, ("root",)),
    ("debian-7.1.5", "/etc/shadow", 0o640, ("root", "shadow")),
    ("debian-7.1.6", "/etc/shadow-", 0o640, ("root", "shadow")),
    ("debian-7.1.7", "/etc/gshadow", 0o640, ("root", "shadow")),
    ("debian-7.1.8", "/etc/gshadow-", 0o640, ("root", "shadow")),
    ("debian-7.1.9", "/etc/shells", 0o644, ("root",)),
    ("debian-7.1.10", "/etc/security/opasswd", 0o600, ("root",)),
    ("debian-1.6.4", "/etc/motd", 0o644, ("root",)),
    ("debian-1.6.5", "/etc/issue", 0o644, ("root",)),
    ("debian-1.6.6", "/etc/issue.net", 0o644, ("root",)),
    ("debian-1.4.2", "/boot/grub/grub.cfg", 0o600, ("root",)),
    ("greenroom-6", "/var/lib/greenroom/key", 0o600, ("root",)),
]
SETUID = {
    *("/usr/bin/at", "/usr/bin/chage", "/usr/bin/chfn", "/usr/bin/chsh", "/usr/bin/crontab", "/usr/bin/dotlockfile"),
    *("/usr/bin/expiry", "/usr/bin/fusermount", "/usr/bin/fusermount3", "/usr/bin/gpasswd", "/usr/bin/mount"),
    *("/usr/bin/newgrp", "/usr/bin/ntfs-3g", "/usr/bin/passwd", "/usr/bin/pkexec", "/usr/bin/ssh-agent", "/usr/bin/su"),
    *("/usr/bin/sudo", "/usr/bin/umount", "/usr/bin/wall", "/usr/bin/write", "/usr/bin/write.ul"),
    *("/usr/lib/dbus-1.0/dbus-daemon-launch-helper", "/usr/lib/openssh/ssh-keysign"),
    *("/usr/lib/polkit-1/polkit-agent-helper-1", "/usr/lib/x86_64-linux-gnu/utempter/utempter"),
    *("/usr/sbin/pam_extrausers_chkpwd", "/usr/sbin/unix_chkpwd", "/usr/sbin/mount.nfs", "/usr/bin/newuidmap"),
    *("/usr/bin/newgidmap", "/usr/libexec/pam-tmpdir/pam-tmpdir-helper"),
}
"""Programs of Debian's and Ubuntu's own packages that run as their owner; any other is news."""


def check(number: str, remedy: str) -> pytest.MarkDecorator:
    return pytest.mark.check(number, remedy=remedy)


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(name, id=name, marks=check(number, f"install {name} /bin/false in /etc/modprobe.d"))
        for number, name in MODULES
    ],
)
def test_is_a_file_system_that_the_kernel_never_loads(facts: dict[str, Any], module: str) -> None:
    if facts["modules_directory"]:
        assert module not in facts["modules"]["loaded"], "it is loaded"
    assert module in facts["modules"]["refused"], "modprobe would load it"


@pytest.mark.needs("own disks")
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, id=place, marks=check(number, f"a partition of its own for {place}"))
        for number, place in PARTITIONS
    ],
)
def test_is_a_partition_of_its_own(facts: dict[str, Any], place: str) -> None:
    assert place in facts["mounts"], "it is a part of another file system"


@check("debian-1.1.2.1.1", remedy="systemctl enable tmp.mount")
def test_tmp_is_a_file_system_of_its_own(facts: dict[str, Any]) -> None:
    assert "/tmp" in facts["mounts"], "/tmp is a part of another file system"


@pytest.mark.parametrize(
    ("place", "option"),
    [
        pytest.param(place, option, id=f"{place} {option}", marks=check(number, f"mount -o remount,{option} {place}"))
        for number, place, option in OPTIONS
    ],
)
def test_is_mounted_so(facts: dict[str, Any], place: str, option: str) -> None:
    assert place in facts["mounts"], f"{place} is no mount"
    assert option in facts["mounts"][place], f"{place} is mounted {','.join(facts['mounts'][place])}"


@check("debian-7.1.11", remedy="chmod o-w FILE; chmod +t DIRECTORY")
def test_nobody_writes_what_belongs_to_others(facts: dict[str, Any]) -> None:
    tree = facts["tree"]
    assert not tree["writable"], f"anybody writes {', '.join(tree['writable'][:8])}"
    assert not tree["unsticky"], f"anybody deletes in {', '.join(tree['unsticky'][:8])}"
    shared = [path for path in ("/tmp", "/var/tmp") if not facts["files"][path]["mode"] & 0o1000]
    assert not shared, f"anybody deletes in {', '.join(shared)}"


@check("debian-7.1.12", remedy="chown root:root FILE")
def test_every_file_belongs_to_somebody(facts: dict[str, Any]) -> None:
    assert not facts["tree"]["unowned"], f"nobody's: {', '.join(facts['tree']['unowned'][:8])}"


@check("debian-7.1.13", remedy="chmod ug-s FILE, or name it in this statement")
def test_programs_that_run_as_their_owner_are_known(facts: dict[str, Any]) -> None:
    unknown = sorted(set(facts["tree"]["setuid"]) - SETUID)
    assert not unknown, f"not known: {', '.join(unknown)}"


@pytest.mark.parametrize(
    ("path", "mode", "groups"),
    [
        pytest.param(path, mode, groups, id=path, marks=check(number, f"chmod {mode:04o} {path}; chown root {path}"))
        for number, path, mode, groups in FILES
    ],
)
def test_belongs_to_root_and_is_open_as_little_as_it_must(
    facts: dict[str, Any], path: str, mode: int, groups: tuple[str, ...]
) -> None:
    found = facts["files"].get(path)
    if found is None:
        pytest.skip(f"there is no {path}")
    assert found["owner"] == "root", f"it belongs to {found['owner']}"
    assert found["group"] in groups, f"its group is {found['group']}"
    assert found["mode"] & ~mode == 0, f"its mode is {found['mode']:04o}; expected {mode:04o} or less"
