"""A hardened droplet, on its private and its public address, and what is tried on it: scans, logins, mistakes."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hostlab import Lab, booted_lab

from infra.commands import hardening
from infra.host import HARDENING_PACKAGES, PACKAGES
from infra.host.baseline import BaselineProvider
from infra.host.hardening import HardeningProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider
from infra.host.resource import endpoint_of
from infra.transport.link import Link
from infra.transport.pool import close_all
from localcloud.machines import NetworkPlan, PublicAddress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PUBLIC = "127.202.10.1"
WITHIN_S = 8
RULES = hardening.FIREWALL[0].path
UNDO = [
    ["sh", "-c", f"grep -q 'table inet greenroom' {RULES} && nft -f {RULES}"],
    ["sh", "-c", "systemctl reset-failed ssh; systemctl reload-or-restart ssh"],
]
provider = HardeningProvider()


def firewall(old: str, new: str) -> str:
    """Return the firewall's text with one thing changed; it is an error when there is no such thing."""
    text = hardening.text("nftables.conf")
    assert old in text
    return text.replace(old, new)


_ACCEPT = "tcp dport { 22, 80, 443 } ct state new accept"
_EARLY = "/etc/ssh/sshd_config.d/00-a-mistake.conf"
# name -> (file, text, the code that the run fails with, or either where sshd may be quick enough to tell)
MISTAKES: dict[str, tuple[str, str, str]] = {
    "sshd: syntax error": (_EARLY, "PermitRotLogin yes\n", "SSHD_REFUSED"),
    "sshd: another port": (_EARLY, "Port 2222\n", "LOCKOUT_AVERTED"),
    "sshd: nobody may log in": (_EARLY, "AllowUsers nobody\n", "LOCKOUT_AVERTED"),
    "sshd: algorithms that nobody speaks": (_EARLY, "KexAlgorithms diffie-hellman-group1-sha1\n", "LOCKOUT_AVERTED"),
    "sshd: no login at all": (_EARLY, "MaxStartups 0\n", "SSHD_REFUSED"),
    "sshd: an address that is not ours": (_EARLY, "ListenAddress 203.0.113.9\n", "APPLY_FAILED|LOCKOUT_AVERTED"),
    "firewall: syntax error": (RULES, firewall("policy drop;", "policy dorp;"), "FIREWALL_REFUSED"),
    "firewall: drop everything": (RULES, firewall(_ACCEPT, "drop"), "LOCKOUT_AVERTED"),
    "firewall: port 22 forgotten": (RULES, firewall("{ 22, 80, 443 } ct", "{ 80, 443 } ct"), "LOCKOUT_AVERTED"),
    "firewall: established dropped": (
        RULES,
        firewall(
            "ct state established,related accept\n\t\tct state invalid",
            "ct state established drop\n\t\tct state invalid",
        ),
        "LOCKOUT_AVERTED",
    ),
    "firewall: the wrong interface": (RULES, firewall(_ACCEPT, f'iifname "eth9" {_ACCEPT}'), "LOCKOUT_AVERTED"),
}


class HardenedLab:
    """One droplet with nothing on it but its own host key, the baseline and the hardening."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.first = lab.first
        self.private = str(lab.first["host"])
        key = HostKeyProvider().create({"connection": lab.first}).outs or {}
        pinned = {"connection": lab.first, "public_key": key["public_key"]}
        served = PinnedHostProvider().create(pinned).outs or {}
        lab.state = {"host key": key, "pinned host": served}
        self.reach = {**lab.first, "host_key": served["host_key"]}
        baseline: dict[str, Any] = {"connection": self.reach, "user": "deploy", "authorized_keys": [lab.first["login"]]}
        BaselineProvider().create({**baseline, "packages": [*PACKAGES, *HARDENING_PACKAGES]})
        self.spec = {"connection": self.reach, "confirm_within_s": 60.0, "exempt": [], "recipe": hardening.recipe()}
        started = time.monotonic()
        self.outs: dict[str, Any] = provider.create(dict(self.spec)).outs or {}
        self.seconds = time.monotonic() - started

    def shell(self, script: str) -> str:
        """Run a script on the droplet, not over ssh."""
        return self.lab.shell(script)

    def drift(self) -> list[str]:
        """Look at the host again, over a new connection."""
        close_all()
        outs = provider.read("hardening", self.outs).outs or {}
        assert outs["reachable"], "the host does not answer"
        self.outs = outs
        return list(outs["drift"])

    def mend(self) -> None:
        """Converge again."""
        self.outs = provider.update("hardening", self.outs, dict(self.spec)).outs or {}

    def change(self, path: str, text: str, *, confirmed: bool = True) -> None:
        """Make a guarded change of one file, as a run makes it, or one that dies before it can confirm."""
        guarded = hardening.guard(
            "a mistake",
            secrets.token_hex(4),
            {path: ("0600", text)},
            checks=[("SSHD_REFUSED", ["sshd", "-t"]), ("FIREWALL_REFUSED", ["nft", "-c", "-f", RULES])],
            apply=[["nft", "-f", RULES], ["systemctl", "reload", "ssh"]],
            undo=UNDO,
            within_s=WITHIN_S,
        )
        perform = provider.perform if confirmed else super(HardeningProvider, provider).perform
        perform(provider.worker(self.spec, patience_s=30.0), self.spec, [guarded], {})

    def files(self) -> str:
        """Return a digest of everything that decides who gets in."""
        return self.shell(
            f"cd /etc && find ssh nftables.conf -type f -exec sha256sum {{}} + | sort; {_TABLE}; {_LISTENS}"
        )

    def connect(self, *, times: int = 1, host: str = "") -> None:
        """Log in anew, so many times one after the other."""
        endpoint = endpoint_of(self.reach)
        for _ in range(times):
            Link(replace(endpoint, host=host or endpoint.host)).close()

    def reboot(self) -> None:
        """Restart the droplet and wait until it answers."""
        self.lab.machines.reboot(self.lab.spec.droplet_id)
        close_all()
        provider.worker(self.spec, patience_s=60.0)

    @contextlib.contextmanager
    def public_address(self) -> Iterator[str]:
        """Give the droplet a public address as the cloud does."""
        machines, droplet = self.lab.machines, self.lab.spec.droplet_id
        machines.apply_network(NetworkPlan((PublicAddress(PUBLIC, droplet, self.private),), ()))
        try:
            yield PUBLIC
        finally:
            machines.apply_network(NetworkPlan())


_TABLE = "nft -s list table inet greenroom"
_LISTENS = "ss -Hltn sport = :22 | awk '{print $4}' | sort"


@contextlib.contextmanager
def hardened_lab(home: Path) -> Iterator[HardenedLab]:
    """Boot and harden a droplet; leave nothing behind."""
    with booted_lab(home) as lab:
        yield HardenedLab(lab)


def open_ports(address: str, *, tcp: str = "1-65535", udp: str = "") -> set[str]:
    """Scan an address from this machine; return what is open, such as `tcp/22`. UDP that is silent is not open.

    On the public address, which is one of loopback, only connections are tried: packets that nmap writes itself do not
    go the way of the cloud's rules. What is behind it is the same network interface.
    """
    is_public = address.startswith("127.")
    kinds, ports = ["-sT" if is_public else "-sS"], [f"T:{tcp}"]
    if udp and not is_public:
        kinds, ports = [*kinds, "-sU"], [*ports, f"U:{udp}"]
    pace = ["--min-rate=4000", "--max-retries=1", "--max-rtt-timeout=200ms"]
    argv = ["nmap", "-n", "-Pn", *kinds, "-p", ",".join(ports), *pace, "-oG", "-", address]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=280)
    return {f"{kind}/{port}" for port, kind in re.findall(r"(\d+)/open/(tcp|udp)/", done.stdout)}


def answers(address: str, port: int, timeout_s: float = 1.0) -> bool:
    """Tell whether a TCP connection is taken."""
    try:
        socket.create_connection((address, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def listens(lab: HardenedLab, ports: Mapping[int, str]) -> None:
    """Have containers publish their web server on ports of every address of the droplet; each answers there by now."""
    for port, name in ports.items():
        lab.shell(f"docker run -d --name {name} -p 0.0.0.0:{port}:80 python:3.11-slim python -m http.server 80")
    for port in ports:
        lab.shell(f"curl -sSf -o /dev/null --retry 50 --retry-delay 1 --retry-all-errors http://127.0.0.1:{port}/")
