"""What every droplet needs before a workload: its first boot over, packages, Docker, an account, directories."""

from __future__ import annotations

__all__ = ["PACKAGES", "Baseline"]

import secrets as randomness
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.commands.compose import KEY_FILE, OVERRIDES
from infra.host import logins
from infra.host.findings import Finding, of_file
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions

PACKAGES = ("ca-certificates", "caddy", "docker.io", "docker-cli", "docker-compose", "git")
_UNITS = ("docker.service",)
_BOOTED = ("done", "disabled", "absent")
_GROUP = "docker"
_SHELL = "/bin/bash"
_ENABLED = ("enabled", "enabled-runtime", "static")
_HOME_MODE = "0750"  # the engine mounts what is in it as root; nobody else has to pass
_ANOTHER_KEY = f"{KEY_FILE} is another key"
_APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold"]
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


class BaselineProvider(HostProvider):
    """Plans packages before the units and groups that come with them."""

    subject = "baseline"
    phase = "baseline"
    timeout_s = 1200.0
    withheld = ("key_fingerprint",)

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Remember this machine's key of digests: nobody else's is taken for it."""
        same = bool(olds) and olds["connection"]["machine"] == spec["connection"]["machine"]
        return {**spec, "key_fingerprint": olds["recorded"].get("key_fingerprint") if same else None}

    def verified(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Take the key that has just been made for what it is."""
        return {**spec, "key_fingerprint": None}

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for everything at once."""
        return {
            "boot": {"kind": "first_boot"},
            "packages": {"kind": "packages", "names": spec["packages"]},
            "units": {"kind": "units", "names": list(_UNITS)},
            "user": {"kind": "user", "name": spec["user"]},
            "home": {"kind": "file", "path": f"/home/{spec['user']}"},
            **logins.probes(spec),
            "state": {"kind": "file", "path": OVERRIDES},
            "key": {"kind": "file", "path": KEY_FILE},
        }

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Wait for the first boot, then install, enable, and make the account."""
        return [
            *_first_boot(facts),
            *_packages(spec, facts),
            *_units(facts),
            *_account(spec, facts),
            *logins.plan(spec, facts),
            *_state(spec, facts),
        ]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Name each package, unit, and part of the account that differs."""
        missing = [name for name in spec["packages"] if name not in facts["packages"]]
        boot = [Finding("the first boot is not over", "done", facts["boot"]["status"])] if _first_boot(facts) else []
        return [
            *boot,
            *(Finding(f"package {name} is missing", "installed", "absent") for name in missing),
            *_units_found(facts),
            *_account_found(spec, facts),
            *logins.findings(spec, facts),
            *_state_found(spec, facts),
        ]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return versions, states, and which key the services' digests have, as they are."""
        present = [name for name in spec["packages"] if name in facts["packages"]]
        return {
            "packages": present,
            "versions": facts["packages"],
            "units": {name: unit["active"] for name, unit in facts["units"].items()},
            "key_fingerprint": facts["key"]["digest"],
        }


class Baseline(Resource, module="greenroom", name="Baseline"):
    """Packages installed, Docker and the proxy enabled, the workload's account made and open to the given keys.

    Root is open to the connection's own key alone.
    """

    key_fingerprint: Output[str]
    """SHA-256 (hex) of the host's key of digests: containers made under another key count as made from another
    configuration."""

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        user: Input[str],
        authorized_keys: Sequence[Input[str]],
        packages: Sequence[str] = PACKAGES,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "user": user,
            "authorized_keys": list(authorized_keys),
            "packages": list(packages),
            **dict.fromkeys(("versions", "units", "key_fingerprint")),
        }
        super().__init__(BaselineProvider(), name, props, opts)


def _first_boot(facts: dict[str, Any]) -> list[acts.Act]:
    if facts["boot"]["status"] in _BOOTED:
        return []
    argv = ["cloud-init", "status", "--wait"]
    # Status 1 and 2 are cloud-init's own troubles; what it left undone shows in the facts below.
    return [
        acts.run(
            "the first boot is not over",
            argv,
            say="wait for cloud-init",
            code="FIRST_BOOT_STUCK",
            timeout_s=600.0,
            accept=[0, 1, 2],
        )
    ]


def _packages(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    missing = [name for name in spec["packages"] if name not in facts["packages"]]
    if not missing:
        return []
    why = f"packages are missing: {', '.join(missing)}"
    return [
        acts.run(why, [*_APT, "update"], say="apt-get update", code="PACKAGES_FAILED", timeout_s=700.0, env=_QUIET),
        acts.run(
            why,
            [*_APT, "install", "--no-install-recommends", *missing],
            say=f"install {' '.join(missing)}",
            code="PACKAGES_FAILED",
            timeout_s=1100.0,
            env=_QUIET,
        ),
    ]


def _units(facts: dict[str, Any]) -> list[acts.Act]:
    found: list[acts.Act] = []
    for name in _UNITS:
        unit = facts["units"].get(name, {"active": "", "enabled": ""})
        if unit["active"] != "active" or unit["enabled"] not in _ENABLED:
            state = "not enabled" if unit["active"] == "active" else unit["active"] or "absent"
            argv = ["systemctl", "enable", "--now", name]
            found.append(
                acts.run(
                    f"{name} is {state}",
                    argv,
                    say=f"start {name}",
                    code="UNIT_FAILED",
                    hint=f"journalctl -u {name} -n 50",
                )
            )
    return found


def _account(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    user, found = spec["user"], facts["user"]
    if not found["exists"]:
        why = f"there is no user {user}"
        argv = ["useradd", "--create-home", "--shell", _SHELL, "--groups", _GROUP, user]
        home = acts.directory(why, f"/home/{user}", owner=user, mode=_HOME_MODE)
        return [acts.run(why, argv, say=f"make user {user}", code="USER_FAILED"), home]
    steps: list[acts.Act] = []
    if _GROUP not in found["groups"]:
        why = f"user {user} is not in group {_GROUP}"
        steps.append(acts.run(why, ["usermod", "--append", "--groups", _GROUP, user], code="USER_FAILED"))
    if found["shell"] != _SHELL:
        why = f"user {user}'s shell is {found['shell'] or 'none'}"
        steps.append(acts.run(why, ["usermod", "--shell", _SHELL, user], code="USER_FAILED"))
    home = facts["home"]
    if (home["mode"], home["owner"]) != (_HOME_MODE, user):
        why = f"/home/{user} is {home['owner'] or 'nobody'}'s with mode {home['mode'] or 'none'}"
        steps.append(acts.directory(why, f"/home/{user}", owner=user, mode=_HOME_MODE))
    return steps


def _state(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    steps: list[acts.Act] = []
    if (facts["state"]["mode"], facts["state"]["owner"]) != ("0755", "root"):
        steps.append(acts.directory(f"{OVERRIDES} is not root's", OVERRIDES, owner="root", mode="0755"))
    is_closed = (facts["key"]["mode"], facts["key"]["owner"]) == ("0600", "root")
    if not is_closed or _is_another_key(spec, facts):
        open_to_others = f"the key of the services' digests is missing at {KEY_FILE}, or open to others"
        why = _ANOTHER_KEY if is_closed else open_to_others
        steps.append(acts.write(why, KEY_FILE, randomness.token_hex(32), owner="root", mode="0600"))
    return steps


def _is_another_key(spec: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Tell whether the key is not the one on record, and so may be one that somebody knows."""
    recorded = spec.get("key_fingerprint")
    return bool(recorded) and recorded != facts["key"]["digest"]


def _units_found(facts: dict[str, Any]) -> list[Finding]:
    units = {name: facts["units"].get(name, {"active": "", "enabled": ""}) for name in _UNITS}
    return [
        Finding(
            f"{name} is {each['active'] or 'absent'} and {each['enabled'] or 'absent'}",
            "active, enabled",
            f"{each['active'] or 'absent'}, {each['enabled'] or 'absent'}",
            each.get("since"),
        )
        for name, each in units.items()
        if each["active"] != "active" or each["enabled"] not in _ENABLED
    ]


def _account_found(spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
    user, found, home = spec["user"], facts["user"], facts["home"]
    if not found["exists"]:
        return [Finding(f"there is no user {user}", "present", "missing")]
    differing: list[Finding] = []
    if _GROUP not in found["groups"]:
        groups = ", ".join(found["groups"])
        differing.append(Finding(f"user {user} is not in group {_GROUP}", f"in {_GROUP}", f"in {groups}"))
    if found["shell"] != _SHELL:
        differing.append(Finding(f"user {user} has another shell", _SHELL, found["shell"]))
    if (home["mode"], home["owner"]) != (_HOME_MODE, user):
        there = f"{home['mode'] or 'none'} {home['owner'] or 'nobody'}"
        differing.append(of_file(f"/home/{user} has another mode or owner", f"{_HOME_MODE} {user}", there, home))
    return differing


def _state_found(spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
    differing: list[Finding] = []
    for name, wanted in (("state", "0755 root"), ("key", "0600 root")):
        fact, path = facts[name], {"state": OVERRIDES, "key": KEY_FILE}[name]
        there = f"{fact['mode'] or 'missing'} {fact['owner']}".rstrip()
        if there != wanted:
            differing.append(of_file(f"{path} has another mode or owner", wanted, there, fact))
    if facts["key"]["exists"] and _is_another_key(spec, facts):
        key = facts["key"]
        differing.append(of_file(_ANOTHER_KEY, f"SHA-256 {spec['key_fingerprint']}", f"SHA-256 {key['digest']}", key))
    return differing
