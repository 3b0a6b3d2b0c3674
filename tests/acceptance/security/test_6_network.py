"""The kernel's network settings and the packet filter (CIS Debian 12 1.1, sections 1.5, 3 and 4).

Kernel settings are stated twice: as they are written for the next boot, and as they are in force. The network's are the
host's own everywhere; the others only where the kernel is.
"""

from __future__ import annotations

from typing import Any

import pytest

GROUP = "network"
ALL = ("net.ipv4.conf.all", "net.ipv4.conf.default")
ALL_6 = ("net.ipv6.conf.all", "net.ipv6.conf.default")
SETTINGS = [
    ("debian-1.5.1", ("kernel.randomize_va_space",), "2"),
    ("debian-1.5.2", ("kernel.yama.ptrace_scope",), "123"),
    ("debian-3.3.2", tuple(f"{each}.send_redirects" for each in ALL), "0"),
    ("debian-3.3.3", ("net.ipv4.icmp_ignore_bogus_error_responses",), "1"),
    ("debian-3.3.4", ("net.ipv4.icmp_echo_ignore_broadcasts",), "1"),
    ("debian-3.3.5", tuple(f"{each}.accept_redirects" for each in (*ALL, *ALL_6)), "0"),
    ("debian-3.3.6", tuple(f"{each}.secure_redirects" for each in ALL), "0"),
    ("debian-3.3.7", tuple(f"{each}.rp_filter" for each in ALL), "1"),
    ("debian-3.3.8", tuple(f"{each}.accept_source_route" for each in (*ALL, *ALL_6)), "0"),
    ("debian-3.3.9", tuple(f"{each}.log_martians" for each in ALL), "1"),
    ("debian-3.3.10", ("net.ipv4.tcp_syncookies",), "1"),
    ("debian-3.3.11", tuple(f"{each}.accept_ra" for each in ALL_6), "0"),
]
PROTOCOLS = [
    ("debian-3.2.1", "dccp"),
    ("debian-3.2.2", "tipc"),
    ("debian-3.2.3", "rds"),
    ("debian-3.2.4", "sctp"),
]
FILTERED = ("inet", "ip")
SETTING = pytest.mark.parametrize(
    ("names", "accepted"),
    [
        pytest.param(
            names,
            accepted,
            id=names[0],
            marks=pytest.mark.check(number, remedy=f"{names[0]} = {accepted[0]} in /etc/sysctl.d; sysctl --system"),
        )
        for number, names, accepted in SETTINGS
    ],
)
check = pytest.mark.check


def chains(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The base chains of the packet filter; none where nft tells nothing."""
    entries = (facts["nftables"] or {}).get("nftables", [])
    return [each["chain"] for each in entries if each.get("chain", {}).get("hook")]


def rules(facts: dict[str, Any], chain: dict[str, Any]) -> list[dict[str, Any]]:
    entries = [each["rule"] for each in facts["nftables"]["nftables"] if "rule" in each]
    place = (chain["family"], chain["table"], chain["name"])
    return [each for each in entries if (each["family"], each["table"], each["chain"]) == place]


def denying(facts: dict[str, Any], hook: str) -> list[dict[str, Any]]:
    """Base chains of a hook that drop by policy what no rule lets through, IPv4 included."""
    return [each for each in chains(facts) if (each["hook"], each.get("policy")) == (hook, "drop")]


@SETTING
def test_is_written_for_the_next_boot(facts: dict[str, Any], names: tuple[str, ...], accepted: str) -> None:
    others = {name: facts["sysctl_written"].get(name, "nothing") for name in names}
    wrong = [f"{name} is {value}" for name, value in others.items() if value not in tuple(accepted)]
    assert not wrong, f"written: {', '.join(wrong)}"


@SETTING
def test_is_in_force(
    request: pytest.FixtureRequest, facts: dict[str, Any], names: tuple[str, ...], accepted: str
) -> None:
    if not names[0].startswith("net."):
        request.getfixturevalue("own_kernel")
    others = {name: facts["sysctl"].get(name, "") for name in names}
    wrong = [f"{name} is {value}" for name, value in others.items() if value not in ("", *accepted)]
    assert not wrong, ", ".join(wrong)


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(name, id=name, marks=check(number, remedy=f"install {name} /bin/false in /etc/modprobe.d"))
        for number, name in PROTOCOLS
    ],
)
def test_is_a_protocol_that_the_kernel_never_loads(facts: dict[str, Any], module: str) -> None:
    if facts["modules_directory"]:
        assert module not in facts["modules"]["loaded"], "it is loaded"
    assert module in facts["modules"]["refused"], "modprobe would load it"


@check("debian-4.1.1", remedy="apt-get purge ufw firewalld")
def test_one_tool_keeps_the_packet_filter(facts: dict[str, Any]) -> None:
    assert facts["packages"], "dpkg told nothing"
    others = sorted({"ufw", "firewalld", "iptables-persistent"} & set(facts["packages"]))
    assert not others, f"installed beside nftables: {', '.join(others)}"


@check("debian-4.3.1", remedy="apt-get install nftables")
def test_nftables_is_installed(facts: dict[str, Any]) -> None:
    assert "nftables" in facts["packages"], "it is not installed"


@check("debian-4.3.4", remedy="greenroom up writes the host's own table")
def test_the_host_has_a_table_of_its_own(facts: dict[str, Any]) -> None:
    entries = (facts["nftables"] or {}).get("nftables", [])
    tables = [each["table"]["name"] for each in entries if each.get("table", {}).get("family") == "inet"]
    assert tables, "there is no inet table: Docker's own are about containers alone"


@check("debian-4.3.5", remedy="greenroom up writes the host's own table")
@pytest.mark.parametrize("hook", ["input", "forward", "output"])
def test_has_a_base_chain(facts: dict[str, Any], hook: str) -> None:
    own = [each for each in chains(facts) if each["hook"] == hook and each["family"] == "inet"]
    assert own, f"no inet chain hooks into {hook}"


@check("debian-4.3.6", remedy='iifname "lo" accept, and ip saddr 127.0.0.0/8 drop after it')
def test_loopback_addresses_come_from_loopback_alone(facts: dict[str, Any]) -> None:
    texts = [str(rule["expr"]) for chain in denying(facts, "input") for rule in rules(facts, chain)]
    assert any("'lo'" in text and "accept" in text for text in texts), "loopback itself is not let through"
    assert any("127.0.0.0" in text and "drop" in text for text in texts), "127.0.0.0/8 may come from elsewhere"


@check("debian-4.3.7", remedy="ct state established,related accept")
def test_answers_to_what_the_host_asked_come_in(facts: dict[str, Any]) -> None:
    texts = [str(rule["expr"]) for chain in denying(facts, "input") for rule in rules(facts, chain)]
    assert any("established" in text and "accept" in text for text in texts), "no rule lets answers in"


@check("debian-4.3.8", remedy="policy drop in the chains input and forward")
@pytest.mark.parametrize("hook", ["input", "forward"])
def test_is_denied_by_default(facts: dict[str, Any], hook: str) -> None:
    assert [each for each in denying(facts, hook) if each["family"] == "inet"], f"what no rule names passes {hook}"


@check("greenroom-7", remedy="a forward chain before Docker's own (priority below 0) that drops by default")
def test_the_filter_stands_in_front_of_published_ports(facts: dict[str, Any]) -> None:
    before = [each["name"] for each in denying(facts, "forward") if int(each["prio"]) < 0]
    assert before, "Docker's rules decide first: a published port is open whatever the host's table says"


@check("debian-4.3.9", remedy="systemctl enable nftables")
def test_the_packet_filter_starts_at_boot(facts: dict[str, Any]) -> None:
    unit = facts["units"].get("nftables.service", {"enabled": "absent"})
    assert unit["enabled"] == "enabled", f"nftables.service is {unit['enabled']}"
