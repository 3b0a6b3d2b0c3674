"""A host that keeps strangers out and lets its controller in: sshd, firewall, updates, kernel, Docker, permissions.

One resource, for it is one decision, and one round trip. What decides who gets in (sshd, the firewall) goes last and
under guard: the host takes it back by itself unless the controller gets in over a connection made after the change.
"""

from __future__ import annotations

__all__ = ["Hardening", "HardeningProvider"]

import hashlib
import secrets as randomness
from typing import TYPE_CHECKING, Any, cast

from pulumi.dynamic import Resource

from infra.commands import acts, hardening, kernel, sshd
from infra.host.confirmation import confirm
from infra.host.host_key import expect_key
from infra.host.resource import HostProvider, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, ResourceOptions

    from infra.transport.worker import Worker

_DAEMON = "/etc/docker/daemon.json"
_NEXT = f"{_DAEMON}.next"
_DEFS = "/etc/login.defs"
_FSTAB = "/etc/fstab"
_NFTABLES = "nftables.service"
_RULES = hardening.FIREWALL[0].path
_RELOADS = {
    "/etc/systemd/journald.conf.d/zz-greenroom.conf": ["systemctl", "restart", "systemd-journald"],
}
_UNDO_SSHD = ["sh", "-c", "systemctl reset-failed ssh; systemctl reload-or-restart ssh"]
_NO_TABLE = f"nft 'add table {hardening.TABLE}; delete table {hardening.TABLE}'"
_UNDO_FIREWALL = ["sh", "-c", f"grep -q 'table {hardening.TABLE}' {_RULES} && nft -f {_RULES} || {_NO_TABLE}"]


class HardeningProvider(HostProvider):
    """Plans files and permissions first, then the ways in; what is in effect counts, not only what is on disk."""

    subject = "hardening"
    phase = "hardening"

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for everything at once."""
        del spec
        paths = [*(file.path for file in (*hardening.FIREWALL, *hardening.FILES)), kernel.PATH, *hardening.TIGHT]
        return {
            **{path: {"kind": "file", "path": path} for path in paths},
            sshd.PATH: {"kind": "file", "path": sshd.PATH, "content": True},
            _DAEMON: {"kind": "file", "path": _DAEMON, "content": True},
            hardening.PAM: {"kind": "file", "path": hardening.PAM, "content": True},
            "daemon": {"kind": "daemon"},
            "sshd": {"kind": "sshd", "user": "root", "names": list(sshd.EFFECTIVE), "ours": sshd.PATH},
            "firewall": {"kind": "firewall", "path": _RULES, "table": hardening.TABLE},
            "kernel": {"kind": "kernel", "names": list(kernel.PARAMETERS)},
            "ages": {"kind": "ages"},
            "defs": {"kind": "defs", "path": _DEFS, "names": list(hardening.DEFS)},
            "fstab": {"kind": "defs", "path": _FSTAB, "names": ["proc"]},
            "mounts": {"kind": "defs", "path": "/proc/self/mounts", "names": ["proc"]},
            "tmp": {"kind": "mount", "path": "/tmp"},  # noqa: S108 - the host's
            "units": {"kind": "units", "names": [_NFTABLES, *hardening.TIMERS]},
            "pending": {"kind": "pending"},
        }

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Write what is missing, tighten what is open; change the ways in last, together and under guard."""
        return [
            *_files(facts),
            *_permissions(facts),
            *_defs(facts),
            *_kernel(facts),
            *_passwords(facts),
            *_processes(facts),
            *_temporary(facts),
            *_timers(facts),
            *_docker(facts),
            *_access(spec, facts),
        ]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return who is exempt from penalties, and whether the kernel is the host's own."""
        found = str(facts[sshd.PATH].get("content", ""))
        return {
            "controllers": list(sshd.controllers(found, "", spec["exempt"])),
            "kernel": "the machine's" if facts["kernel"]["container"] else "its own",
            "sshd": ".".join(str(number) for number in facts["sshd"]["version"]),
        }

    def perform(
        self, worker: Worker, spec: dict[str, Any], acts: Sequence[acts.Act], probes: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Perform the acts; get in anew and confirm the one under guard before those after it are performed."""
        guards = [number for number, act in enumerate(acts, 1) if act.wire["do"] == "guard"]
        until = guards[0] if guards else len(acts)
        facts = super().perform(worker, spec, acts[:until], probes)
        if not guards:
            return facts
        guard = acts[until - 1].wire
        confirm(endpoint_of(spec["connection"]), guard["id"], float(guard["within_s"]))
        if acts[until:]:
            super().perform(worker, spec, acts[until:], {})
        return {**facts, "pending": {"changes": []}}

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Open the ways in, and only when that is confirmed take away the rest; what was tightened or installed stays.

        Until then the firewall starts at boot: a host that takes the change back has it, whenever it does.
        """
        why = "hardening is no longer wanted"
        files = [file.path for file in hardening.FILES if file.path not in ("/etc/issue", "/etc/issue.net")]
        ways = dict.fromkeys((sshd.PATH, *(file.path for file in hardening.FIREWALL)))
        return [
            expect_key(why, spec["connection"]["host_key"]),
            hardening.guard(
                why,
                randomness.token_hex(4),
                ways,
                checks=[("SSHD_REFUSED", ["sshd", "-t"])],
                apply=[["sh", "-c", _NO_TABLE], ["systemctl", "daemon-reload"], ["systemctl", "reload", "ssh"]],
                undo=[_UNDO_FIREWALL, ["systemctl", "daemon-reload"], _UNDO_SSHD],
                within_s=int(spec["confirm_within_s"]),
            ),
            acts.run(why, ["systemctl", "disable", _NFTABLES]),
            *(acts.remove(why, path) for path in (*files, kernel.PATH)),
        ]


class Hardening(Resource, module="greenroom", name="Hardening"):
    """sshd, firewall, updates, kernel parameters and permissions of a server that stands in the open.

    `exempt` are the networks that sshd never penalises; empty stands for the last addresses that sshd or the firewall
    was changed from.
    """

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        confirm_within_s: int,
        exempt: Sequence[str] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "confirm_within_s": confirm_within_s,
            "exempt": list(exempt),
            "recipe": hardening.recipe(),
            **dict.fromkeys(("controllers", "kernel", "sshd")),
        }
        super().__init__(HardeningProvider(), name, props, opts)


def _files(facts: dict[str, Any]) -> list[acts.Act]:
    wanted = [(file, hardening.text(file.template)) for file in hardening.FILES]
    wanted.append((hardening.File(kernel.PATH, ""), kernel.kernel_conf()))
    steps: list[acts.Act] = []
    for file, text in wanted:
        why = _difference(file, text, facts)
        if why:
            steps.append(hardening.files(why, file, text))
            if file.path in _RELOADS:
                steps.append(acts.run(why, _RELOADS[file.path], code="UNIT_FAILED"))
    return steps


def _difference(file: hardening.File, text: str, facts: dict[str, Any]) -> str:
    found = facts[file.path]
    if not found["exists"]:
        return f"{file.path} is missing"
    if found["digest"] != hashlib.sha256(text.encode()).hexdigest():
        return f"{file.path} has another content"
    if (found["owner"], found["mode"]) != ("root", file.mode):
        return f"{file.path} is {found['owner']}'s with mode {found['mode']}"
    return ""


def _permissions(facts: dict[str, Any]) -> list[acts.Act]:
    steps: list[acts.Act] = []
    for path, mode in hardening.TIGHT.items():
        found = facts[path]
        if found["exists"] and (found["owner"], found["mode"]) != ("root", mode):
            why = f"{path} is {found['owner']}'s with mode {found['mode']}"
            steps += [acts.run(why, ["chown", "root:root", path]), acts.run(why, ["chmod", mode, path])]
    return steps


def _defs(facts: dict[str, Any]) -> list[acts.Act]:
    values = {name: value for name, value in hardening.DEFS.items() if facts["defs"].get(name) != value}
    steps = [hardening.defs(f"{_DEFS} has another {', '.join(values)}", _DEFS, values)] if values else []
    for name in facts["ages"]["expiring"]:
        why = f"{name} has no password but one that expires, and could not log in from that day on"
        steps.append(acts.run(why, ["chage", "--maxdays", "-1", name], code="USER_FAILED"))
    return steps


def _kernel(facts: dict[str, Any]) -> list[acts.Act]:
    values = kernel.to_apply(facts["kernel"])
    return [hardening.sysctl(f"the kernel has another {', '.join(values)}", values)] if values else []


def _passwords(facts: dict[str, Any]) -> list[acts.Act]:
    if "nullok" not in str(facts[hardening.PAM].get("content", "")):
        return []
    why = "an empty password would open an account"
    return [
        acts.run(why, ["sed", "-i", "s/ nullok//", hardening.PAM]),
        acts.run(why, ["pam-auth-update", "--package"], code="PAM_FAILED", env={"DEBIAN_FRONTEND": "noninteractive"}),
    ]


def _processes(facts: dict[str, Any]) -> list[acts.Act]:
    why = "accounts see the processes of others"
    steps: list[acts.Act] = []
    if facts["fstab"].get("proc") != hardening.HIDDEN:
        steps.append(hardening.defs(why, _FSTAB, {"proc": hardening.HIDDEN}))
    if "hidepid=invisible" not in facts["mounts"].get("proc", ""):
        steps.append(acts.run(why, ["mount", "-o", "remount,hidepid=invisible", "/proc"]))
    return steps


def _temporary(facts: dict[str, Any]) -> list[acts.Act]:
    """Let nothing be started in /tmp where that is a file system of its own; from the next boot on its unit says so."""
    if not facts["tmp"]["source"] or "noexec" in facts["tmp"]["options"]:
        return []
    remount = ["mount", "-o", "remount,nosuid,nodev,noexec", "/tmp"]  # noqa: S108 - the host's
    return [acts.run("programs can be started in /tmp", remount)]


def _timers(facts: dict[str, Any]) -> list[acts.Act]:
    steps: list[acts.Act] = []
    for name in hardening.TIMERS:
        unit = facts["units"].get(name, {"active": "", "enabled": ""})
        if unit["active"] != "active" or unit["enabled"] != "enabled":
            why = f"{name} is {unit['enabled'] or 'absent'} and {unit['active'] or 'absent'}"
            if unit["enabled"].startswith("masked"):
                steps.append(acts.run(why, ["systemctl", "unmask", name], code="UNIT_FAILED"))
            steps.append(acts.run(why, ["systemctl", "enable", "--now", name], code="UNIT_FAILED"))
    return steps


def _docker(facts: dict[str, Any]) -> list[acts.Act]:
    found = str(facts[_DAEMON].get("content", ""))
    text = hardening.daemon_json(found)
    on_disk, daemon = text == found, facts["daemon"]
    if on_disk and daemon["live_restore"] is not False:
        return _chains(daemon)
    why = f"{_DAEMON} differs" if daemon["live_restore"] else "containers would go down with the Docker daemon"
    steps: list[acts.Act] = []
    if not on_disk:
        # With the options of the command line: a key that stands in both places stops dockerd for good.
        check = f'. /etc/default/docker 2>/dev/null; exec dockerd --validate --config-file "{_NEXT}" $DOCKER_OPTS'
        steps += [
            acts.directory(why, "/etc/docker", owner="root", mode="0755"),
            acts.write(why, _NEXT, text, owner="root", mode="0644"),
            acts.run(why, ["sh", "-c", check], code="DOCKER_CONFIG_REFUSED", hint=f"cat {_NEXT}"),
            acts.run(why, ["mv", "-fT", _NEXT, _DAEMON]),
        ]
    reload = acts.run(why, ["systemctl", "reload", "docker"], say="docker reads its configuration again")
    return [*steps, reload, *_chains(daemon)]


def _chains(daemon: dict[str, Any]) -> list[acts.Act]:
    """Have Docker make its chains again where somebody flushed them; containers outlive that."""
    if daemon["chains"] is not False:
        return []
    why = "Docker's packet filter chains are gone"
    # systemd refuses a unit that was started three times within a minute, whoever asked for it.
    again = ["sh", "-c", "systemctl reset-failed docker; systemctl restart docker"]
    return [acts.run(why, again, say="docker makes its chains again", code="UNIT_FAILED")]


def _access(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    """Plan sshd and firewall as one guarded change, so that one new connection proves both."""
    reasons = [*_sshd_reasons(spec, facts), *_firewall_reasons(facts)]
    if facts["pending"]["changes"]:
        reasons.append("a change of sshd or the firewall was never confirmed")
    if not reasons:
        return []
    files = {sshd.PATH: ("0600", _drop_in(spec, facts, facts["sshd"]["controller"]))}
    files |= {file.path: (file.mode, hardening.text(file.template)) for file in hardening.FIREWALL}
    was_enabled = facts["units"][_NFTABLES]["enabled"] == "enabled"
    why = "; ".join(reasons)
    return [
        expect_key(why, spec["connection"]["host_key"]),  # undoing a change reloads sshd as well
        hardening.guard(
            why,
            randomness.token_hex(4),
            files,
            aside=[each.path for each in sshd.overruling(facts["sshd"]) if each.is_aside],
            checks=[("SSHD_REFUSED", ["sshd", "-t"]), ("FIREWALL_REFUSED", ["nft", "-c", "-f", _RULES])],
            apply=[
                ["systemctl", "daemon-reload"],
                ["systemctl", "enable", "--now", "--quiet", _NFTABLES],
                ["nft", "-f", _RULES],
                ["systemctl", "reload", "ssh"],
            ],
            undo=[
                _UNDO_FIREWALL,
                *([] if was_enabled else [["systemctl", "disable", "--quiet", _NFTABLES]]),
                ["systemctl", "daemon-reload"],
                _UNDO_SSHD,
            ],
            within_s=int(spec["confirm_within_s"]),
        ),
    ]


def _drop_in(spec: dict[str, Any], facts: dict[str, Any], controller: str) -> str:
    fact, found = facts["sshd"], str(facts[sshd.PATH].get("content", ""))
    exempt = sshd.controllers(found, controller, spec["exempt"])
    return sshd.sshd_config(version=_version(facts), kex=fact["kex"], exempt=exempt)


def _sshd_reasons(spec: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    # Another controller than the last one is no difference: it does not fail to log in, and is exempt from its first
    # change on.
    why = _difference(hardening.File(sshd.PATH, "", "0600"), _drop_in(spec, facts, ""), facts)
    different = [] if why else sshd.differing(facts["sshd"]["effective"], _version(facts), facts["sshd"]["kex"])
    return [
        *([why] if why else []),
        *(f"sshd has {each.option.name} {each.found or 'unset'}" for each in different),
        *(each.what for each in sshd.overruling(facts["sshd"])),
    ]


def _firewall_reasons(facts: dict[str, Any]) -> list[str]:
    reasons = [_difference(file, hardening.text(file.template), facts) for file in hardening.FIREWALL]
    reasons = [reason for reason in reasons if reason]
    unit, firewall = facts["units"][_NFTABLES], facts["firewall"]
    if unit["enabled"] != "enabled":
        reasons.append("the firewall does not start at boot")
    if not firewall["loaded"]:
        reasons.append("the firewall is not loaded")
    elif firewall["differs"] and not reasons:
        reasons.append(f"the firewall differs: {'; '.join(firewall['differs'])}")
    return reasons


def _version(facts: dict[str, Any]) -> tuple[int, int]:
    return cast("tuple[int, int]", tuple(facts["sshd"]["version"]))
