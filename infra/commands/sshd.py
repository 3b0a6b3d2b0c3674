"""sshd's configuration: one table that renders the drop-in and says what `sshd -T` has to answer.

Values follow the CIS Debian 12 benchmark and ssh-audit's server policy; where they differ from either, the option says
why. Algorithms and options that a host's sshd does not know are left out: an unknown word would stop sshd.
"""

from __future__ import annotations

__all__ = ["EFFECTIVE", "PATH", "PRINTED", "controllers", "differing", "sshd_config"]

import ipaddress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = "/etc/ssh/sshd_config.d/01-greenroom.conf"
KEPT_CONTROLLERS = 8
Version = tuple[int, int]


class Option(NamedTuple):
    """One line of the configuration."""

    name: str
    value: str
    since: Version = (0, 0)
    """The OpenSSH release that knows it."""


# paramiko (5.1) speaks the first of these; OpenSSH clients from 9.0 on one of the others.
_POST_QUANTUM = ("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com")
_CURVE25519 = ("curve25519-sha256", "curve25519-sha256@libssh.org")
"""Where sshd is older than 9.9 the controller needs a classic exchange."""
_KEYS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "rsa-sha2-512", "rsa-sha2-256")
_OPTIONS = (
    Option("Ciphers", "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com"),
    Option("MACs", "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com"),
    Option("PubkeyAcceptedAlgorithms", ",".join(_KEYS)),
    Option("RequiredRSASize", "3072", (9, 1)),
    Option("AuthenticationMethods", "publickey"),
    Option("PubkeyAuthentication", "yes"),
    Option("PasswordAuthentication", "no"),
    Option("KbdInteractiveAuthentication", "no"),
    Option("PermitEmptyPasswords", "no"),
    # One file of keys for each account, which the baseline writes; no program and no authority opens one beside it.
    Option("AuthorizedKeysFile", ".ssh/authorized_keys"),
    Option("AuthorizedKeysCommand", "none"),
    Option("TrustedUserCAKeys", "none"),
    Option("HostbasedAuthentication", "no"),
    Option("IgnoreRhosts", "yes"),
    Option("GSSAPIAuthentication", "no"),
    Option("KerberosAuthentication", "no"),
    Option("PermitRootLogin", "prohibit-password"),  # the controller is root, by its key
    Option("PermitUserEnvironment", "no"),
    Option("PermitUserRC", "no"),
    Option("StrictModes", "yes"),
    Option("UsePAM", "yes"),
    Option("LoginGraceTime", "30"),
    Option("MaxAuthTries", "3"),
    Option("MaxSessions", "4"),
    Option("AllowGroups", "root sudo docker"),  # root, administrators, and the workload's account
    # CIS has 10:30:60. From the eleventh half-open login on that refuses at random, also the controller's; one source
    # alone can never fill what is left here.
    Option("MaxStartups", "30:30:60"),
    Option("PerSourceMaxStartups", "25", (8, 5)),
    Option("PerSourcePenalties", "crash:90 authfail:5 noauth:1 grace-exceeded:20 max:600 min:15", (9, 8)),
    Option("DisableForwarding", "yes"),
    Option("AllowTcpForwarding", "no"),
    Option("AllowStreamLocalForwarding", "no"),
    Option("AllowAgentForwarding", "no"),
    Option("X11Forwarding", "no"),
    Option("PermitTunnel", "no"),
    Option("GatewayPorts", "no"),
    Option("ClientAliveInterval", "20"),
    Option("ClientAliveCountMax", "2"),
    Option("TCPKeepAlive", "no"),  # it can be forged; the line above notices a dead peer inside the encryption
    Option("Compression", "no"),
    Option("UseDNS", "no"),
    Option("LogLevel", "VERBOSE"),  # names the key of each login
    Option("Banner", "/etc/issue.net"),
    Option("DebianBanner", "no"),
)
PRINTED = {"prohibit-password": "without-password"}
"""What `sshd -T` prints in place of a value."""
_EXEMPT = "PerSourcePenaltyExemptList"
_PENALTIES_SINCE = (9, 8)
_FREE = ("KexAlgorithms", "PerSourcePenalties")  # printed in another form, or made of what the host knows
EFFECTIVE = tuple(option.name.lower() for option in _OPTIONS if option.name not in _FREE)
"""The names to ask `sshd -T` for."""


def controllers(found: str, current: str, always: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses that no penalty may hit: the settings' own, or those that a controller came from.

    `found` is the drop-in as the host has it: the controllers it names stay, the present one is put last.
    """
    if always:
        return tuple(always)
    line = next((line for line in found.splitlines() if line.startswith(f"{_EXEMPT} ")), "")
    known = [address for address in line.partition(" ")[2].split(",") if _is_network(address)]
    others = [address for address in known if address != current]
    return (*others[-KEPT_CONTROLLERS + 1 :], current) if _is_network(current) else tuple(others)


def sshd_config(*, version: Version, kex: Sequence[str], exempt: Sequence[str]) -> str:
    """Return the drop-in for an sshd of this version that knows these key exchanges."""
    exchanges = [name for name in _POST_QUANTUM if name in kex]
    if _POST_QUANTUM[0] not in kex:
        exchanges += _CURVE25519
    lines = [f"{option.name} {option.value}" for option in _OPTIONS if option.since <= version]
    if version >= _PENALTIES_SINCE and exempt:
        lines.append(f"{_EXEMPT} {','.join(exempt)}")
    head = "# Written by Greenroom. It comes early: the first value of an option counts."
    return "\n".join([head, f"KexAlgorithms {','.join(exchanges)}", *lines]) + "\n"


def differing(effective: Mapping[str, str], version: Version) -> list[str]:
    """Name the options that are in effect otherwise, through whatever file or `Match`."""
    return [
        f"sshd has {option.name} {effective.get(option.name.lower(), '') or 'unset'}"
        for option in _OPTIONS
        if option.since <= version and option.name not in _FREE and not _is_met(option, effective)
    ]


def _is_met(option: Option, effective: Mapping[str, Any]) -> bool:
    found = str(effective.get(option.name.lower(), ""))
    return found in (option.value, PRINTED.get(option.value))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
