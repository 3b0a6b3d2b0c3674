"""A host that keeps strangers out and lets its controller in: sshd, firewall, updates, kernel, Docker, permissions.

One resource, for it is one decision, and one round trip. What decides who gets in (sshd, the firewall) goes last and
under guard: the host takes it back by itself unless the controller gets in over a connection made after the change.
"""

from __future__ import annotations

__all__ = ["Hardening", "HardeningProvider"]

import secrets as randomness
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts, hardening, kernel, sshd
from infra.host import hardening_findings as differing
from infra.host.confirmation import confirm
from infra.host.host_key import expect_key
from infra.host.resource import HostProvider, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, ResourceOptions

    from infra.host.findings import Finding
    from infra.transport.worker import Worker

_NEXT = f"{differing.DAEMON}.next"
_FSTAB = "/etc/fstab"
_NFTABLES = differing.NFTABLES
_RULES = differing.RULES
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
            differing.DAEMON: {"kind": "file", "path": differing.DAEMON, "content": True},
            differing.DEFINITIONS: {"kind": "file", "path": differing.DEFINITIONS},
            hardening.PAM: {"kind": "file", "path": hardening.PAM, "content": True},
            "daemon": {"kind": "daemon"},
            "sshd": {"kind": "sshd", "user": "root", "names": list(sshd.EFFECTIVE), "ours": sshd.PATH},
            "firewall": {"kind": "firewall", "path": _RULES, "table": hardening.TABLE},
            "kernel": {"kind": "kernel", "names": list(kernel.PARAMETERS)},
            "ages": {"kind": "ages"},
            "defs": {"kind": "defs", "path": differing.DEFINITIONS, "names": list(hardening.DEFS)},
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

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Name each file, option, parameter and unit that differs."""
        return differing.every(spec, facts)

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
    steps: list[acts.Act] = []
    for file, text, finding in differing.files(facts):
        steps.append(hardening.files(finding.what, file, text))
        if file.path in _RELOADS:
            steps.append(acts.run(finding.what, _RELOADS[file.path], code="UNIT_FAILED"))
    return steps


def _permissions(facts: dict[str, Any]) -> list[acts.Act]:
    return [
        acts.run(finding.what, argv)
        for path, finding in differing.permissions(facts).items()
        for argv in (["chown", "root:root", path], ["chmod", hardening.TIGHT[path], path])
    ]


def _defs(facts: dict[str, Any]) -> list[acts.Act]:
    values = {name: hardening.DEFS[name] for name in differing.definitions(facts)}
    path = differing.DEFINITIONS
    steps = [hardening.defs(f"{path} has another {', '.join(values)}", path, values)] if values else []
    return steps + [
        acts.run(finding.what, ["chage", "--maxdays", "-1", name], code="USER_FAILED")
        for name, finding in differing.expiring(facts).items()
    ]


def _kernel(facts: dict[str, Any]) -> list[acts.Act]:
    values = kernel.to_apply(facts["kernel"])
    return [hardening.sysctl(f"the kernel has another {', '.join(values)}", values)] if values else []


def _passwords(facts: dict[str, Any]) -> list[acts.Act]:
    again = ["pam-auth-update", "--package"]
    return [
        act
        for each in differing.passwords(facts)
        for act in (
            acts.run(each.what, ["sed", "-i", "s/ nullok//", hardening.PAM]),
            acts.run(each.what, again, code="PAM_FAILED", env={"DEBIAN_FRONTEND": "noninteractive"}),
        )
    ]


def _processes(facts: dict[str, Any]) -> list[acts.Act]:
    return [
        act
        for each in differing.processes(facts)
        for act in (
            hardening.defs(each.what, _FSTAB, {"proc": hardening.HIDDEN}),
            acts.run(each.what, ["mount", "-o", "remount,hidepid=invisible", "/proc"]),
        )
    ]


def _temporary(facts: dict[str, Any]) -> list[acts.Act]:
    """Let nothing be started in /tmp now; from the next boot on its unit says so."""
    remount = ["mount", "-o", "remount,nosuid,nodev,noexec", "/tmp"]  # noqa: S108 - the host's
    return [acts.run(each.what, remount) for each in differing.temporary(facts)]


def _timers(facts: dict[str, Any]) -> list[acts.Act]:
    steps: list[acts.Act] = []
    for name, finding in differing.timers(facts).items():
        if facts["units"].get(name, {"enabled": ""})["enabled"].startswith("masked"):
            steps.append(acts.run(finding.what, ["systemctl", "unmask", name], code="UNIT_FAILED"))
        steps.append(acts.run(finding.what, ["systemctl", "enable", "--now", name], code="UNIT_FAILED"))
    return steps


def _docker(facts: dict[str, Any]) -> list[acts.Act]:
    found = differing.daemon(facts)
    if not found:
        return _chains(facts)
    why = "; ".join(each.what for each in found)
    content = str(facts[differing.DAEMON].get("content", ""))
    text = hardening.daemon_json(content)
    steps: list[acts.Act] = []
    if text != content:
        # With the options of the command line: a key that stands in both places stops dockerd for good.
        check = f'. /etc/default/docker 2>/dev/null; exec dockerd --validate --config-file "{_NEXT}" $DOCKER_OPTS'
        steps += [
            acts.directory(why, "/etc/docker", owner="root", mode="0755"),
            acts.write(why, _NEXT, text, owner="root", mode="0644"),
            acts.run(why, ["sh", "-c", check], code="DOCKER_CONFIG_REFUSED", hint=f"cat {_NEXT}"),
            acts.run(why, ["mv", "-fT", _NEXT, differing.DAEMON]),
        ]
    reload = acts.run(why, ["systemctl", "reload", "docker"], say="docker reads its configuration again")
    return [*steps, reload, *_chains(facts)]


def _chains(facts: dict[str, Any]) -> list[acts.Act]:
    """Have Docker make its chains again where somebody flushed them; containers outlive that."""
    # systemd refuses a unit that was started three times within a minute, whoever asked for it.
    again = ["sh", "-c", "systemctl reset-failed docker; systemctl restart docker"]
    return [
        acts.run(each.what, again, say="docker makes its chains again", code="UNIT_FAILED")
        for each in differing.chains(facts)
    ]


def _access(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    """Plan sshd and firewall as one guarded change, so that one new connection proves both."""
    found = differing.ways_in(spec, facts)
    if not found:
        return []
    why = "; ".join(each.what for each in found)
    files = {sshd.PATH: ("0600", differing.drop_in(spec, facts, facts["sshd"]["controller"]))}
    files |= {file.path: (file.mode, hardening.text(file.template)) for file in hardening.FIREWALL}
    was_enabled = facts["units"][_NFTABLES]["enabled"] == "enabled"
    aside = dict.fromkeys(each.path for each in sshd.overruling(facts["sshd"]) if each.is_movable)
    return [
        expect_key(why, spec["connection"]["host_key"]),  # undoing a change reloads sshd as well
        hardening.guard(
            why,
            randomness.token_hex(4),
            files,
            aside=list(aside),
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
