"""sshd, by what `sshd -T` says is in effect, and its files (CIS Debian 12 1.1, section 5.1)."""

from __future__ import annotations

from typing import Any

import pytest

GROUP = "sshd"
check = pytest.mark.check
WHERE = "/etc/ssh/sshd_config.d"
PLAIN = [
    ("debian-5.1.9", "gssapiauthentication", "no"),
    ("debian-5.1.10", "hostbasedauthentication", "no"),
    ("debian-5.1.11", "ignorerhosts", "yes"),
    ("debian-5.1.19", "permitemptypasswords", "no"),
    ("debian-5.1.20", "permitrootlogin", "no"),
    ("debian-5.1.21", "permituserenvironment", "no"),
    ("debian-5.1.22", "usepam", "yes"),
    ("greenroom-4", "passwordauthentication", "no"),
    ("greenroom-4", "kbdinteractiveauthentication", "no"),
]
WEAK_CIPHERS = ("3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "rijndael-cbc@lysator.liu.se")
WEAK_EXCHANGES = (
    *("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"),
    *("ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"),
)
WEAK_MACS = ("hmac-md5", "hmac-ripemd160", "hmac-sha1", "umac-64", "hmac-sha2-256", "hmac-sha2-512", "umac-128")
"""A name also stands for its variants, except those that encrypt before they sign (`-etm`)."""


def value(facts: dict[str, Any], name: str) -> str:
    """The effective value of an option; a host whose sshd says nothing fails the statement."""
    assert facts["sshd"], "sshd -T told nothing"
    assert name in facts["sshd"], f"sshd -T does not name {name}"
    return facts["sshd"][name][0]


def number(facts: dict[str, Any], name: str) -> int:
    return int(value(facts, name))


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        pytest.param(option, wanted, id=option, marks=check(number, remedy=f"{option} {wanted} in {WHERE}"))
        for number, option, wanted in PLAIN
    ],
)
def test_is_set_so(facts: dict[str, Any], option: str, wanted: str) -> None:
    found = value(facts, option)
    assert found == wanted, f"{option} is {found}; expected {wanted}"


@check("debian-5.1.1", remedy="chmod 0600 /etc/ssh/sshd_config; chown root:root it")
def test_its_configuration_is_root_s_alone(facts: dict[str, Any]) -> None:
    files = {path: each for path, each in facts["files"].items() if path.startswith("/etc/ssh/sshd_config")}
    assert "/etc/ssh/sshd_config" in files, "there is no sshd_config"
    assert {(each["uid"], each["gid"]) for each in files.values()} == {(0, 0)}, "a file of it is not root's"
    assert files["/etc/ssh/sshd_config"]["mode"] & ~0o600 == 0, (
        f"its mode is {files['/etc/ssh/sshd_config']['mode']:04o}; expected 0600 or less"
    )
    writable = [path for path, each in files.items() if each["mode"] & 0o022]
    assert not writable, f"others write {', '.join(writable)}"


@check("debian-5.1.2", remedy="chmod 0600 /etc/ssh/*_key")
def test_only_root_reads_the_host_s_private_keys(facts: dict[str, Any]) -> None:
    keys = {
        path: each for path, each in facts["files"].items() if path.startswith("/etc/ssh/") and path.endswith("_key")
    }
    assert keys, "there is no private host key"
    opened = [path for path, each in keys.items() if each["mode"] & 0o177 or each["uid"]]
    assert not opened, f"open: {', '.join(opened)}"


@check("debian-5.1.3", remedy="chmod 0644 /etc/ssh/*_key.pub")
def test_only_root_writes_the_host_s_public_keys(facts: dict[str, Any]) -> None:
    keys = {path: each for path, each in facts["files"].items() if path.endswith("_key.pub")}
    assert keys, "there is no public host key"
    opened = [path for path, each in keys.items() if each["mode"] & 0o133 or each["uid"]]
    assert not opened, f"writable: {', '.join(opened)}"


@check("debian-5.1.4", remedy=f"AllowGroups or AllowUsers in {WHERE}")
def test_only_named_groups_or_users_log_in(facts: dict[str, Any]) -> None:
    names = ("allowusers", "allowgroups", "denyusers", "denygroups")
    assert any(facts["sshd"].get(name) for name in names), "everybody with a key may log in"


@check("debian-5.1.5", remedy=f"Banner /etc/issue.net in {WHERE}")
def test_shows_a_warning_before_the_login(facts: dict[str, Any]) -> None:
    assert value(facts, "banner").startswith("/"), f"the banner is {value(facts, 'banner')}"


@pytest.mark.parametrize(
    ("option", "weak"),
    [
        pytest.param("ciphers", WEAK_CIPHERS, id="ciphers", marks=check("debian-5.1.6", remedy=f"Ciphers in {WHERE}")),
        pytest.param(
            *("kexalgorithms", WEAK_EXCHANGES),
            id="kexalgorithms",
            marks=check("debian-5.1.12", remedy=f"KexAlgorithms in {WHERE}"),
        ),
    ],
)
def test_uses_no_weak_algorithm(facts: dict[str, Any], option: str, weak: tuple[str, ...]) -> None:
    found = sorted(set(value(facts, option).split(",")) & set(weak))
    assert not found, f"weak: {', '.join(found)}"


@check("debian-5.1.15", remedy=f"MACs in {WHERE}, with -etm ones alone")
def test_signs_what_is_encrypted(facts: dict[str, Any]) -> None:
    found = [name for name in value(facts, "macs").split(",") if "-etm@" not in name or name.startswith(WEAK_MACS[:4])]
    assert not found, f"weak: {', '.join(found)}"


@check("debian-5.1.7", remedy=f"ClientAliveInterval 20 and ClientAliveCountMax 2 in {WHERE}")
def test_notices_a_client_that_is_gone(facts: dict[str, Any]) -> None:
    interval, count = number(facts, "clientaliveinterval"), number(facts, "clientalivecountmax")
    assert interval > 0, f"clientaliveinterval is {interval}"
    assert count > 0, f"clientalivecountmax is {count}"


@check("debian-5.1.8", remedy=f"DisableForwarding yes in {WHERE}")
def test_forwards_nothing(facts: dict[str, Any]) -> None:
    names = (
        "allowtcpforwarding",
        "allowagentforwarding",
        "allowstreamlocalforwarding",
        "x11forwarding",
        "permittunnel",
    )
    left = [name for name in names if value(facts, name) != "no"]
    assert value(facts, "disableforwarding") == "yes" or not left, f"on: {', '.join(left)}"


@check("debian-5.1.13", remedy=f"LoginGraceTime 30 in {WHERE}")
def test_waits_at_most_a_minute_for_a_login(facts: dict[str, Any]) -> None:
    assert 1 <= number(facts, "logingracetime") <= 60, f"logingracetime is {number(facts, 'logingracetime')}"


@check("debian-5.1.14", remedy=f"LogLevel VERBOSE in {WHERE}")
def test_logs_who_came(facts: dict[str, Any]) -> None:
    assert value(facts, "loglevel") in ("INFO", "VERBOSE"), f"loglevel is {value(facts, 'loglevel')}"


@check("debian-5.1.16", remedy=f"MaxAuthTries 4 in {WHERE}")
def test_allows_four_tries_at_most(facts: dict[str, Any]) -> None:
    assert number(facts, "maxauthtries") <= 4, f"maxauthtries is {number(facts, 'maxauthtries')}"


@check("debian-5.1.17", remedy=f"MaxSessions 10 in {WHERE}")
def test_allows_ten_sessions_of_a_connection_at_most(facts: dict[str, Any]) -> None:
    assert number(facts, "maxsessions") <= 10, f"maxsessions is {number(facts, 'maxsessions')}"


@check("debian-5.1.18", remedy=f"MaxStartups 10:30:60 in {WHERE}")
def test_keeps_few_logins_half_open(facts: dict[str, Any]) -> None:
    start, rate, full = (int(word) for word in value(facts, "maxstartups").split(":"))
    assert (start <= 10, rate >= 30, full <= 60) == (True, True, True), f"maxstartups is {start}:{rate}:{full}"
