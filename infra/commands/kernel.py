"""Kernel parameters: the CIS Debian 12 values and those that lynis looks for, as far as Docker can live with them.

Not here: `ip_forward = 0`, without which no container reaches anything, and `modules_disabled`, which takes nftables
and Docker their modules. What is set is written for the next boot, and applied now where the kernel is the host's own;
of another machine's kernel only what is the host's own network (`net.`) is touched.
"""

from __future__ import annotations

__all__ = ["PARAMETERS", "PATH", "kernel_conf", "to_apply"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/etc/sysctl.d/60-greenroom.conf"
_EVERY = ("all", "default")
PARAMETERS: dict[str, str] = {
    "dev.tty.ldisc_autoload": "0",
    "fs.protected_fifos": "2",
    "fs.protected_hardlinks": "1",
    "fs.protected_regular": "2",
    "fs.protected_symlinks": "1",
    "fs.suid_dumpable": "0",
    "kernel.core_uses_pid": "1",
    "kernel.dmesg_restrict": "1",
    "kernel.kptr_restrict": "2",
    "kernel.perf_event_paranoid": "3",
    "kernel.randomize_va_space": "2",
    "kernel.sysrq": "0",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "1",
    "net.core.bpf_jit_harden": "2",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.tcp_rfc1337": "1",
    "net.ipv4.tcp_syncookies": "1",
    **{f"net.ipv4.conf.{each}.accept_redirects": "0" for each in _EVERY},
    **{f"net.ipv4.conf.{each}.accept_source_route": "0" for each in _EVERY},
    **{f"net.ipv4.conf.{each}.log_martians": "1" for each in _EVERY},
    **{f"net.ipv4.conf.{each}.rp_filter": "1" for each in _EVERY},
    **{f"net.ipv4.conf.{each}.secure_redirects": "0" for each in _EVERY},
    **{f"net.ipv4.conf.{each}.send_redirects": "0" for each in _EVERY},
    **{f"net.ipv6.conf.{each}.accept_ra": "0" for each in _EVERY},
    **{f"net.ipv6.conf.{each}.accept_redirects": "0" for each in _EVERY},
    **{f"net.ipv6.conf.{each}.accept_source_route": "0" for each in _EVERY},
}


def kernel_conf() -> str:
    """Return the file that systemd-sysctl reads at boot; a leading `-` passes over what a kernel does not have."""
    lines = [f"-{name} = {value}" for name, value in PARAMETERS.items()]
    return "\n".join(["# Written by Greenroom.", *lines]) + "\n"


def to_apply(fact: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that this host may set and has otherwise."""
    found: Mapping[str, str] = fact["values"]
    own = {name: value for name, value in PARAMETERS.items() if name in found}
    return {
        name: value
        for name, value in own.items()
        if found[name] != value and (not fact["container"] or name.startswith("net."))
    }
