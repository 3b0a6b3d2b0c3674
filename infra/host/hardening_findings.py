"""What of a host is not hardened, part by part: each difference with what was expected, what is there, and since when.

The plan of `infra.host.hardening` mends what is found here, and a look at the host tells of the same.
"""

from __future__ import annotations

__all__ = [
    "DAEMON",
    "DEFINITIONS",
    "NFTABLES",
    "RULES",
    "chains",
    "daemon",
    "definitions",
    "drop_in",
    "every",
    "expiring",
    "files",
    "parameters",
    "passwords",
    "permissions",
    "processes",
    "temporary",
    "timers",
    "ways_in",
]

import hashlib
from typing import TYPE_CHECKING, Any

from infra.commands import hardening, kernel, sshd
from infra.host.findings import Finding, of_file

if TYPE_CHECKING:
    from collections.abc import Mapping

Facts = dict[str, Any]

DAEMON = "/etc/docker/daemon.json"
DEFINITIONS = "/etc/login.defs"
NFTABLES = "nftables.service"
RULES = hardening.FIREWALL[0].path
_HIDEPID = "hidepid=invisible"


def every(spec: dict[str, Any], facts: Facts) -> list[Finding]:
    """Return all that is found, in the order in which it is mended."""
    return [
        *(finding for _, _, finding in files(facts)),
        *permissions(facts).values(),
        *definitions(facts).values(),
        *expiring(facts).values(),
        *parameters(facts),
        *passwords(facts),
        *processes(facts),
        *temporary(facts),
        *timers(facts).values(),
        *daemon(facts),
        *chains(facts),
        *ways_in(spec, facts),
    ]


def files(facts: Facts) -> list[tuple[hardening.File, str, Finding]]:
    """Return the files that differ, with their texts."""
    wanted = [(file, hardening.text(file.template)) for file in hardening.FILES]
    wanted.append((hardening.File(kernel.PATH, ""), kernel.kernel_conf()))
    return [(file, text, finding) for file, text in wanted for finding in _of_text(file, text, facts[file.path])]


def permissions(facts: Facts) -> dict[str, Finding]:
    """Return by path what is open to others than it should be."""
    return {
        path: finding
        for path, mode in hardening.TIGHT.items()
        if facts[path]["exists"]
        for finding in _of_mode(path, mode, facts[path])
    }


def definitions(facts: Facts) -> dict[str, Finding]:
    """Return by name the definitions for accounts that are others."""
    found = facts["defs"]
    return {
        name: of_file(f"{DEFINITIONS} has another {name}", value, found.get(name) or "unset", facts[DEFINITIONS])
        for name, value in hardening.DEFS.items()
        if found.get(name) != value
    }


def expiring(facts: Facts) -> dict[str, Finding]:
    """Return the accounts that would lose their key logins when a password expires that they do not have."""
    why = "has no password but one that expires, and could not log in from that day on"
    return {name: Finding(f"{name} {why}", "no expiry", "an expiry") for name in facts["ages"]["expiring"]}


def parameters(facts: Facts) -> list[Finding]:
    """Return the kernel parameters that are others and that this host may set."""
    found: Mapping[str, str] = facts["kernel"]["values"]
    wanted = kernel.to_apply(facts["kernel"])
    return [Finding(f"the kernel has another {name}", value, found[name]) for name, value in wanted.items()]


def passwords(facts: Facts) -> list[Finding]:
    """Tell whether an empty password would do."""
    fact = facts[hardening.PAM]
    if "nullok" not in str(fact.get("content", "")):
        return []
    return [of_file("an empty password would open an account", "no nullok", "nullok", fact)]


def processes(facts: Facts) -> list[Finding]:
    """Tell whether accounts see each other's processes, now or from the next boot on."""
    now, boot = facts["mounts"].get("proc", ""), facts["fstab"].get("proc", "")
    if _HIDEPID in now and boot == hardening.HIDDEN:
        return []
    there = f"mounted as {now or 'nothing'}; in fstab: {boot or 'nothing'}"
    return [Finding("accounts see the processes of others", f"{_HIDEPID}, mounted and in fstab", there)]


def temporary(facts: Facts) -> list[Finding]:
    """Tell whether programs can be started in /tmp, where that is a file system of its own."""
    fact = facts["tmp"]
    if not fact["source"] or "noexec" in fact["options"]:
        return []
    return [Finding("programs can be started in /tmp", "noexec", " ".join(fact["options"]) or "no options")]


def timers(facts: Facts) -> dict[str, Finding]:
    """Return the timers that do not run."""
    units = {name: facts["units"].get(name, {"active": "", "enabled": ""}) for name in hardening.TIMERS}
    shown = {name: (each["enabled"] or "absent", each["active"] or "absent") for name, each in units.items()}
    return {
        name: Finding(
            f"{name} is {' and '.join(there)}", "enabled and active", " and ".join(there), units[name].get("since")
        )
        for name, there in shown.items()
        if there != ("enabled", "active")
    }


def daemon(facts: Facts) -> list[Finding]:
    """Tell how the Docker daemon's configuration differs, on disk and as it runs."""
    fact, running = facts[DAEMON], facts["daemon"]
    text = str(fact.get("content", ""))
    found: list[Finding] = []
    if hardening.daemon_json(text) != text:
        found.append(of_file(f"{DAEMON} differs", "as merged", "edited" if text else "missing or empty", fact))
    if running["live_restore"] is False:
        found.append(Finding("containers would go down with the Docker daemon", "live-restore", "no live-restore"))
    return found


def chains(facts: Facts) -> list[Finding]:
    """Tell whether somebody flushed Docker's part of the packet filter."""
    if facts["daemon"]["chains"] is not False:
        return []
    return [Finding("Docker's packet filter chains are gone", "present", "missing")]


def ways_in(spec: dict[str, Any], facts: Facts) -> list[Finding]:
    """Return what differs of sshd and the firewall, and changes of them that nobody confirmed."""
    pending = facts["pending"]["changes"]
    why = "a change of sshd or the firewall was never confirmed"
    unconfirmed = [Finding(why, "confirmed", f"pending: {', '.join(pending)}")] if pending else []
    return [*_sshd(spec, facts), *_firewall(facts), *unconfirmed]


def drop_in(spec: dict[str, Any], facts: Facts, controller: str) -> str:
    """Return sshd's file for this host, with the controller among those that are exempt from penalties."""
    fact, found = facts["sshd"], str(facts[sshd.PATH].get("content", ""))
    exempt = sshd.controllers(found, controller, spec["exempt"])
    return sshd.sshd_config(version=tuple(fact["version"]), kex=fact["kex"], exempt=exempt)


def _sshd(spec: dict[str, Any], facts: Facts) -> list[Finding]:
    # Another controller than the last one is no difference: it does not fail to log in, and is exempt from its first
    # change on.
    fact = facts["sshd"]
    file = _of_text(hardening.File(sshd.PATH, "", "0600"), drop_in(spec, facts, ""), facts[sshd.PATH])
    different = [] if file else sshd.differing(fact["effective"], tuple(fact["version"]), fact["kex"])
    options = [
        Finding(f"sshd has {name} {found or 'unset'}", value, found or "unset") for (name, value, _), found in different
    ]
    overruling = [
        Finding(each.what, "Greenroom's values", _listed(each.settings), fact["times"].get(each.path))
        for each in sshd.overruling(fact)
    ]
    return [*file, *options, *overruling]


def _listed(settings: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in settings.items())


def _firewall(facts: Facts) -> list[Finding]:
    found = [
        each for file in hardening.FIREWALL for each in _of_text(file, hardening.text(file.template), facts[file.path])
    ]
    unit, firewall = facts["units"][NFTABLES], facts["firewall"]
    if unit["enabled"] != "enabled":
        there = unit["enabled"] or "absent"
        found.append(Finding("the firewall does not start at boot", "enabled", there, unit.get("since")))
    if not firewall["loaded"]:
        found.append(Finding("the firewall is not loaded", "loaded", "not loaded"))
    elif firewall["differs"] and not found:
        lines = "; ".join(firewall["differs"])
        found.append(Finding(f"the firewall differs: {lines}", f"as in {RULES}", lines))
    return found


def _of_text(file: hardening.File, text: str, fact: Mapping[str, Any]) -> list[Finding]:
    if not fact["exists"]:
        return [Finding(f"{file.path} is missing", "as written", "missing")]
    if fact["digest"] != hashlib.sha256(text.encode()).hexdigest():
        return [of_file(f"{file.path} has another content", "as written", "another content", fact)]
    return _of_mode(file.path, file.mode, fact)


def _of_mode(path: str, mode: str, fact: Mapping[str, Any]) -> list[Finding]:
    owner, found = fact["owner"], fact["mode"]
    if (owner, found) == ("root", mode):
        return []
    return [of_file(f"{path} is {owner}'s with mode {found}", f"{mode} root", f"{found} {owner}", fact)]
