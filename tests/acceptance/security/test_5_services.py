"""Services, packages, updates, jobs and logs of the host (CIS Debian 12 1.1, sections 1.2, 1.3, 1.5, 1.6, 2 and 6)."""

from __future__ import annotations

import re
from typing import Any

import pytest

GROUP = "services"
SERVERS = [
    ("debian-2.1.1", "autofs", ("autofs.service",)),
    ("debian-2.1.2", "avahi", ("avahi-daemon.service", "avahi-daemon.socket")),
    ("debian-2.1.3", "a DHCP server", ("isc-dhcp-server.service", "kea-dhcp4-server.service")),
    ("debian-2.1.4", "a DNS server", ("named.service", "bind9.service")),
    ("debian-2.1.5", "dnsmasq", ("dnsmasq.service",)),
    ("debian-2.1.6", "an FTP server", ("vsftpd.service", "proftpd.service")),
    ("debian-2.1.7", "an LDAP server", ("slapd.service",)),
    ("debian-2.1.8", "a mailbox server", ("dovecot.service", "dovecot.socket")),
    ("debian-2.1.9", "an NFS server", ("nfs-server.service",)),
    ("debian-2.1.10", "NIS", ("ypserv.service",)),
    ("debian-2.1.11", "a print server", ("cups.service", "cups.socket")),
    ("debian-2.1.12", "rpcbind", ("rpcbind.service", "rpcbind.socket")),
    ("debian-2.1.13", "an rsync server", ("rsync.service",)),
    ("debian-2.1.14", "Samba", ("smbd.service",)),
    ("debian-2.1.15", "SNMP", ("snmpd.service",)),
    ("debian-2.1.16", "TFTP", ("tftpd-hpa.service",)),
    ("debian-2.1.17", "a web proxy", ("squid.service",)),
    ("debian-2.1.18", "a web server beside Caddy", ("apache2.service", "nginx.service", "lighttpd.service")),
    ("debian-2.1.19", "xinetd", ("xinetd.service",)),
    ("debian-3.1.3", "Bluetooth", ("bluetooth.service",)),
    ("debian-6.1.2.1.4", "a receiver of journals", ("systemd-journal-remote.service", "systemd-journal-remote.socket")),
]
CLIENTS = [
    ("debian-2.1.20", ("xserver-common", "xserver-xorg-core")),
    ("debian-2.2.1", ("nis", "yp-tools")),
    ("debian-2.2.2", ("rsh-client", "rsh-redone-client")),
    ("debian-2.2.3", ("talk", "inetutils-talk")),
    ("debian-2.2.4", ("telnet", "inetutils-telnet")),
    ("debian-2.2.5", ("ldap-utils",)),
    ("debian-2.2.6", ("ftp", "tnftp")),
    ("debian-1.5.4", ("prelink",)),
    ("debian-1.5.5", ("apport",)),
]
JOBS = [
    ("debian-2.4.1.2", "/etc/crontab", 0o600),
    ("debian-2.4.1.3", "/etc/cron.hourly", 0o700),
    ("debian-2.4.1.4", "/etc/cron.daily", 0o700),
    ("debian-2.4.1.5", "/etc/cron.weekly", 0o700),
    ("debian-2.4.1.6", "/etc/cron.monthly", 0o700),
    ("debian-2.4.1.7", "/etc/cron.d", 0o700),
]
MAILERS = (25, 465, 587)
PUBLIC = (22, 80, 443)


def check(number: str, remedy: str) -> pytest.MarkDecorator:
    return pytest.mark.check(number, remedy=remedy)


def listening(facts: dict[str, Any]) -> list[tuple[str, int]]:
    """Where something waits for connections from elsewhere."""
    assert facts["listening"], "ss told nothing"
    places = [line[4].rpartition(":") for line in facts["listening"]]
    return [(address.split("%")[0], int(port)) for address, _, port in places if not is_local(address)]


def is_local(address: str) -> bool:
    return address.startswith(("127.", "[::1]", "[::ffff:127."))


def units(facts: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The host's units; none at all means that systemctl was not to be asked, not that nothing is served."""
    found: dict[str, dict[str, str]] = facts["units"]
    assert any(each["active"] == "active" for each in found.values()), "systemctl list-units told nothing"
    assert any(each["enabled"] == "enabled" for each in found.values()), "systemctl list-unit-files told nothing"
    return found


def apt(facts: dict[str, Any], name: str) -> list[str]:
    """The values of an apt setting, lists with all their entries."""
    found = [re.match(rf'{re.escape(name)}(?:::[^ ]*)? "(.*)";$', line) for line in facts["apt"]]
    return [each.group(1) for each in found if each and each.group(1)]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(names, id=server, marks=check(number, f"systemctl disable --now {names[0]}"))
        for number, server, names in SERVERS
    ],
)
def test_is_not_served(facts: dict[str, Any], names: tuple[str, ...]) -> None:
    found = {name: unit for name, unit in units(facts).items() if name in names}
    on = [name for name, unit in found.items() if unit["active"] in ("active", "activating")]
    on += [name for name, unit in found.items() if unit["enabled"] in ("enabled", "enabled-runtime")]
    assert not on, f"in use: {', '.join(sorted(set(on)))}"


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param(packages, id=packages[0], marks=check(number, f"apt-get purge {packages[0]}"))
        for number, packages in CLIENTS
    ],
)
def test_is_not_installed(facts: dict[str, Any], packages: tuple[str, ...]) -> None:
    assert facts["packages"], "dpkg told nothing"
    found = sorted(set(packages) & set(facts["packages"]))
    assert not found, f"installed: {', '.join(found)}"


@check("debian-2.1.21", remedy="inet_interfaces = loopback-only in /etc/postfix/main.cf")
def test_no_mail_is_taken_from_elsewhere(facts: dict[str, Any]) -> None:
    found = [f"{address}:{port}" for address, port in listening(facts) if port in MAILERS]
    assert not found, f"mail is taken at {', '.join(found)}"


@check("debian-2.1.22", remedy="ss -ltnup names the program; systemctl disable --now it")
def test_only_ssh_and_the_proxy_listen_to_the_world(facts: dict[str, Any]) -> None:
    others = sorted({f"{address}:{port}" for address, port in listening(facts) if port not in PUBLIC})
    assert not others, f"listening too: {', '.join(others)}"


@check("debian-2.3.1.1", remedy="apt-get install systemd-timesyncd, or chrony")
@pytest.mark.needs("own kernel")
def test_one_daemon_keeps_the_time(facts: dict[str, Any]) -> None:
    daemons = ("systemd-timesyncd.service", "chrony.service", "ntpsec.service")
    running = [name for name in daemons if facts["units"].get(name, {}).get("active") == "active"]
    assert len(running) == 1, f"running: {', '.join(running) or 'none'}"


@check("debian-2.4.1.1", remedy="systemctl enable --now cron")
@pytest.mark.needs("cron")
def test_cron_runs(facts: dict[str, Any]) -> None:
    unit = facts["units"].get("cron.service", {"active": "absent", "enabled": "absent"})
    assert (unit["active"], unit["enabled"]) == ("active", "enabled"), f"it is {unit['active']}, {unit['enabled']}"


@pytest.mark.needs("cron")
@pytest.mark.parametrize(
    ("path", "mode"),
    [pytest.param(path, mode, id=path, marks=check(number, f"chmod {mode:04o} {path}")) for number, path, mode in JOBS],
)
def test_jobs_are_root_s_alone(facts: dict[str, Any], path: str, mode: int) -> None:
    found = facts["files"].get(path)
    assert found, f"there is no {path}"
    assert (found["uid"], found["gid"]) == (0, 0), f"it belongs to {found['owner']}:{found['group']}"
    assert found["mode"] & ~mode == 0, f"its mode is {found['mode']:04o}; expected {mode:04o} or less"


@check("debian-2.4.1.8", remedy="/etc/cron.allow with root in it, mode 0600; /etc/cron.deny, if any, root's as well")
@pytest.mark.needs("cron")
def test_only_named_accounts_have_cron_jobs(facts: dict[str, Any]) -> None:
    only_named(facts, "/etc/cron.allow", "/etc/cron.deny")


@check("debian-2.4.2.1", remedy="/etc/at.allow with root in it, mode 0600; /etc/at.deny, if any, root's as well")
@pytest.mark.needs("at")
def test_only_named_accounts_have_at_jobs(facts: dict[str, Any]) -> None:
    only_named(facts, "/etc/at.allow", "/etc/at.deny")


def only_named(facts: dict[str, Any], allow: str, deny: str) -> None:
    """`allow` decides, and `deny`, which is not read beside it, would decide if it were gone: both are root's."""
    assert allow in facts["files"], f"there is no {allow}"
    for path in (allow, deny):
        found = facts["files"].get(path)
        if found:
            assert found["owner"] == "root", f"{path} belongs to {found['owner']}"
            assert found["mode"] & ~0o640 == 0, f"the mode of {path} is {found['mode']:04o}"


@check("debian-1.2.1.1", remedy="apt-get install debian-archive-keyring")
def test_packages_are_signed_by_known_keys(facts: dict[str, Any]) -> None:
    assert facts["keyrings"], "apt knows no key"


@check("debian-1.2.1.2", remedy="take trusted=yes out of the package sources")
def test_every_package_source_is_verified(facts: dict[str, Any]) -> None:
    sources = {path: text for path, text in facts["texts"].items() if path.startswith("/etc/apt/sources.list")}
    assert sources, "there is no package source"
    pattern = r"^[^#]*(?:trusted=yes|allow-insecure=yes|Trusted:\s*yes|Allow-Insecure:\s*yes)"
    found = [path for path, text in sources.items() if re.search(pattern, text, re.MULTILINE)]
    assert not found, f"unverified: {', '.join(found)}"


@check("debian-1.2.2.1", remedy='APT::Periodic::Unattended-Upgrade "1", unattended-upgrades and its timers')
def test_security_updates_come_by_themselves(facts: dict[str, Any]) -> None:
    assert "unattended-upgrades" in facts["packages"], "unattended-upgrades is not installed"
    for name in ("APT::Periodic::Update-Package-Lists", "APT::Periodic::Unattended-Upgrade"):
        assert apt(facts, name) == ["1"], f"{name} is {apt(facts, name) or 'unset'}"
    for name in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        unit = facts["units"].get(name, {"enabled": "absent"})
        assert unit["enabled"] == "enabled", f"{name} is {unit['enabled']}"


@check("greenroom-5", remedy="Unattended-Upgrade::Package-Blacklist with ^docker, ^containerd and ^runc$")
def test_updates_by_themselves_leave_docker_alone(facts: dict[str, Any]) -> None:
    held = apt(facts, "Unattended-Upgrade::Package-Blacklist")
    for package in ("docker.io", "containerd", "runc"):
        assert any(re.match(pattern, package) for pattern in held), f"{package} is not on the list"
    assert apt(facts, "Unattended-Upgrade::Automatic-Reboot") in ([], ["false"]), "it reboots by itself"


@check("debian-1.3.1.1", remedy="apt-get install apparmor")
@pytest.mark.needs("AppArmor")
def test_apparmor_is_installed(facts: dict[str, Any]) -> None:
    assert "apparmor" in facts["packages"], "it is not installed"


@check("debian-1.5.3", remedy="* hard core 0 in /etc/security/limits.d, Storage=none in coredump.conf")
def test_no_core_is_dumped(facts: dict[str, Any]) -> None:
    limits = "\n".join(text for path, text in facts["texts"].items() if path.startswith("/etc/security/limits"))
    assert re.search(r"^\s*\*\s+(?:hard|-)\s+core\s+0\s*$", limits, re.MULTILINE), "limits.d lets programs dump"
    assert facts["sysctl"]["fs.suid_dumpable"] == "0", f"fs.suid_dumpable is {facts['sysctl']['fs.suid_dumpable']}"
    if "systemd-coredump" in facts["packages"]:
        assert facts["coredump"].get("Storage") == "none", f"coredump stores {facts['coredump'].get('Storage')}"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/etc/motd", id="/etc/motd", marks=check("debian-1.6.1", "take the system's name out of it")),
        pytest.param("/etc/issue", id="/etc/issue", marks=check("debian-1.6.2", "take the system's name out of it")),
        pytest.param("/etc/issue.net", id="/etc/issue.net", marks=check("debian-1.6.3", "take the name out of it")),
    ],
)
def test_does_not_tell_which_system_this_is(facts: dict[str, Any], path: str) -> None:
    text = facts["texts"].get(path, "")
    found = re.search(r"\\[mrsv]|Debian GNU/Linux [0-9]+|Ubuntu [0-9]+", text)
    assert not found, f"it says {found.group(0) if found else ''}"


@check("debian-6.1.1.1", remedy="systemctl start systemd-journald")
def test_the_journal_is_kept(facts: dict[str, Any]) -> None:
    unit = facts["units"].get("systemd-journald.service", {"active": "absent", "enabled": "absent"})
    assert (unit["active"], unit["enabled"]) == ("active", "static"), f"it is {unit['active']}, {unit['enabled']}"


@check("debian-6.1.1.2", remedy="chmod o-rwx /var/log/journal; chgrp systemd-journal /var/log/journal")
def test_only_its_group_reads_the_journal(facts: dict[str, Any]) -> None:
    found = facts["files"].get("/var/log/journal")
    assert found, "there is no /var/log/journal"
    assert found["group"] in ("systemd-journal", "root", "adm"), f"its group is {found['group']}"
    assert not found["mode"] & 0o002, f"its mode is {found['mode']:04o}"


@check("debian-6.1.1.3", remedy="SystemMaxUse= in /etc/systemd/journald.conf.d")
def test_the_journal_cannot_fill_the_disk(facts: dict[str, Any]) -> None:
    assert facts["journald"].get("SystemMaxUse"), "SystemMaxUse is not set"


@check("debian-6.1.1.4", remedy="apt-get purge rsyslog, or let the journal alone")
def test_one_system_keeps_the_logs(facts: dict[str, Any]) -> None:
    assert units(facts).get("rsyslog.service", {}).get("active") != "active", "rsyslog runs beside journald"


@check("debian-6.1.2.2", remedy="ForwardToSyslog=no in /etc/systemd/journald.conf.d")
def test_the_journal_is_not_forwarded_to_a_syslog(facts: dict[str, Any]) -> None:
    assert facts["journald"].get("ForwardToSyslog") == "no", f"it is {facts['journald'].get('ForwardToSyslog')}"


@check("debian-6.1.2.3", remedy="Compress=yes in /etc/systemd/journald.conf.d")
def test_the_journal_is_compressed(facts: dict[str, Any]) -> None:
    assert facts["journald"].get("Compress") == "yes", f"it is {facts['journald'].get('Compress', 'not stated')}"


@check("debian-6.1.2.4", remedy="Storage=persistent in /etc/systemd/journald.conf.d")
def test_the_journal_outlives_a_reboot(facts: dict[str, Any]) -> None:
    assert facts["journald"].get("Storage") == "persistent", f"it is {facts['journald'].get('Storage', 'not stated')}"


@check("debian-6.2.1.1", remedy="apt-get install auditd")
@pytest.mark.needs("own kernel")
def test_auditd_is_installed(facts: dict[str, Any]) -> None:
    assert "auditd" in facts["packages"], "it is not installed"


@check("debian-6.2.1.2", remedy="systemctl enable --now auditd")
@pytest.mark.needs("own kernel")
def test_auditd_runs(facts: dict[str, Any]) -> None:
    assert facts["units"].get("auditd.service", {}).get("active") == "active", "it does not run"
