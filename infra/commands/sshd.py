"""sshd's configuration: one table that renders the drop-in and says what `sshd -T` has to answer.

Values follow the CIS Debian 12 benchmark and ssh-audit's server policy; where they differ from either, the option says
why. Algorithms and options that a host's sshd does not know are left out: an unknown word would stop sshd.
"""

from __future__ import annotations

__all__ = [
    "EFFECTIVE",
    "HOST_KEY_PATH",
    "PATH",
    "PRINTED",
    "Different",
    "Overruling",
    "controllers",
    "differing",
    "overruling",
    "sshd_config",
    "wanted",
]

import ipaddress
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = "/etc/ssh/sshd_config.d/01-greenroom.conf"
HOST_KEY_PATH = "/etc/ssh/sshd_config.d/00-greenroom-host-key.conf"
"""What the pinned host writes."""
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
_KEX = "KexAlgorithms"
_PENALTIES = "PerSourcePenalties"
_SUMMED = ("allowgroups",)
"""Options whose lines add up, wherever they stand."""
_ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
}
"""Former names, which sshd still takes."""
EFFECTIVE = tuple(name.lower() for name in (_KEX, *(option.name for option in _OPTIONS)))
"""The names to ask `sshd -T` for."""


class Different(NamedTuple):
    """An option that is in effect otherwise."""

    option: Option
    found: str
    """As `sshd -T` prints it; empty where it is unset."""


class Overruling(NamedTuple):
    """A file that sets options of ours otherwise, so that they come first, add up, or hold for some logins only."""

    path: str
    settings: Mapping[str, str]
    """Option and value."""
    how: str

    @property
    def what(self) -> str:
        """Say it in one line."""
        return f"{self.path} sets {', '.join(self.settings)} {self.how}"

    @property
    def is_movable(self) -> bool:
        """Whether it can be set aside: it is a drop-in, and not Greenroom's own."""
        return self.path.rpartition("/")[0] == PATH.rpartition("/")[0] and self.path != HOST_KEY_PATH


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


def wanted(version: Version, kex: Sequence[str]) -> list[Option]:
    """Return the options for an sshd of this version that knows these key exchanges."""
    exchanges = [name for name in _POST_QUANTUM if name in kex]
    if _POST_QUANTUM[0] not in kex:
        exchanges += _CURVE25519
    return [Option(_KEX, ",".join(exchanges)), *(option for option in _OPTIONS if option.since <= version)]


def sshd_config(*, version: Version, kex: Sequence[str], exempt: Sequence[str]) -> str:
    """Return the drop-in for an sshd of this version that knows these key exchanges."""
    lines = [f"{option.name} {option.value}" for option in wanted(version, kex)]
    if version >= _PENALTIES_SINCE and exempt:
        lines.append(f"{_EXEMPT} {','.join(exempt)}")
    head = "# Written by Greenroom. It comes early: the first value of an option counts."
    return "\n".join([head, *lines]) + "\n"


def differing(effective: Mapping[str, str], version: Version, kex: Sequence[str]) -> list[Different]:
    """Return the options that are in effect otherwise, through whatever file or `Match`."""
    return [
        Different(option, effective.get(option.name.lower(), ""))
        for option in wanted(version, kex)
        if not _is_met(option, effective.get(option.name.lower(), ""))
    ]


def overruling(fact: Mapping[str, Any]) -> list[Overruling]:
    """Return the files that say otherwise than ours, of sshd's fact; what is of no effect counts only under `Match`."""
    version: Version = (fact["version"][0], fact["version"][1])
    options = {option.name.lower(): option for option in wanted(version, fact["kex"])}
    others = {each.option.name.lower() for each in differing(fact["effective"], version, fact["kex"])}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for setting in fact["settings"]:
        option = str(setting["option"])
        name = _ALIASES.get(option, option)
        if how := _how(name, setting, options.get(name), others):
            found.setdefault((setting["path"], how), {}).setdefault(_shown(name, options), setting["value"])
    return [Overruling(path, settings, how) for (path, how), settings in found.items()]


def _how(name: str, setting: Mapping[str, str], option: Option | None, others: set[str]) -> str:
    """Say in which way a setting overrules ours; empty where it does not."""
    is_exemption = name == _EXEMPT.lower()
    if setting["place"] == "match":
        return "under Match" if option and not _is_met(option, setting["value"]) else ""
    if setting["place"] == "before":
        return "first" if name in others or is_exemption else ""
    return "once more" if name in _SUMMED and name in others else ""


def _shown(name: str, options: Mapping[str, Option]) -> str:
    return options[name].name if name in options else _EXEMPT


def _is_met(option: Option, found: str) -> bool:
    if option.name == _PENALTIES:
        return _durations(option.value).items() <= _durations(found).items()
    return found in (option.value, PRINTED.get(option.value))


def _durations(penalties: str) -> dict[str, float]:
    """Return what is a number of seconds among penalties; `sshd -T` prints more than was set, and as decimals."""
    pairs = (word.partition(":") for word in penalties.split())
    return {name: float(value) for name, _, value in pairs if re.fullmatch(r"\d+(\.\d+)?", value)}


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
