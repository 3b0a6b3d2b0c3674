"""What every droplet needs before a workload: its first boot over, packages, Docker, an account, directories."""

from __future__ import annotations

__all__ = ["PACKAGES", "Baseline"]

import secrets as randomness
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.commands.compose import KEY_FILE, OVERRIDES
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, ResourceOptions

PACKAGES = ("ca-certificates", "caddy", "docker.io", "docker-cli", "docker-compose", "git")
_UNITS = ("docker.service",)
_BOOTED = ("done", "disabled", "absent")
_GROUP = "docker"
_HOME_MODE = "0750"  # the engine mounts what is in it as root; nobody else has to pass
_APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold"]
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


class BaselineProvider(HostProvider):
    """Plans packages before the units and groups that come with them."""

    subject = "baseline"
    phase = "baseline"
    timeout_s = 1200.0

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for everything at once."""
        return {
            "boot": {"kind": "first_boot"},
            "packages": {"kind": "packages", "names": spec["packages"]},
            "units": {"kind": "units", "names": list(_UNITS)},
            "user": {"kind": "user", "name": spec["user"]},
            "home": {"kind": "file", "path": f"/home/{spec['user']}"},
            "keys": {"kind": "file", "path": _keys_path(spec), "content": True},
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
            *_keys(spec, facts),
            *_state(facts),
        ]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return versions and states as they are."""
        present = [name for name in spec["packages"] if name in facts["packages"]]
        return {
            "packages": present,
            "versions": facts["packages"],
            "units": {name: unit["active"] for name, unit in facts["units"].items()},
        }


class Baseline(Resource, module="greenroom", name="Baseline"):
    """Packages installed, Docker and the proxy enabled, the workload's account made and open to the given keys."""

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
            "versions": None,
            "units": None,
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
        if unit["active"] != "active" or unit["enabled"] not in ("enabled", "enabled-runtime", "static"):
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
        argv = ["useradd", "--create-home", "--shell", "/bin/bash", "--groups", _GROUP, user]
        home = acts.directory(why, f"/home/{user}", owner=user, mode=_HOME_MODE)
        return [acts.run(why, argv, say=f"make user {user}", code="USER_FAILED"), home]
    steps: list[acts.Act] = []
    if _GROUP not in found["groups"]:
        why = f"user {user} is not in group {_GROUP}"
        steps.append(acts.run(why, ["usermod", "--append", "--groups", _GROUP, user], code="USER_FAILED"))
    home = facts["home"]
    if (home["mode"], home["owner"]) != (_HOME_MODE, user):
        why = f"/home/{user} is {home['owner'] or 'nobody'}'s with mode {home['mode'] or 'none'}"
        steps.append(acts.directory(why, f"/home/{user}", owner=user, mode=_HOME_MODE))
    return steps


def _keys(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    wanted = "".join(f"{key}\n" for key in spec["authorized_keys"])
    found, user = facts["keys"], spec["user"]
    if (found.get("content"), found["mode"], found["owner"]) == (wanted, "0600", user):
        return []
    why = f"the keys that open {user}'s account are others"
    path = _keys_path(spec)
    return [
        acts.directory(why, path.rpartition("/")[0], owner=user, mode="0700"),
        acts.write(why, path, wanted, owner=user, mode="0600"),
    ]


def _state(facts: dict[str, Any]) -> list[acts.Act]:
    steps: list[acts.Act] = []
    if (facts["state"]["mode"], facts["state"]["owner"]) != ("0755", "root"):
        steps.append(acts.directory(f"{OVERRIDES} is not root's", OVERRIDES, owner="root", mode="0755"))
    if (facts["key"]["mode"], facts["key"]["owner"]) != ("0600", "root"):
        why = f"the key of the services' digests is missing at {KEY_FILE}, or open to others"
        steps.append(acts.write(why, KEY_FILE, randomness.token_hex(32), owner="root", mode="0600"))
    return steps


def _keys_path(spec: dict[str, Any]) -> str:
    return f"/home/{spec['user']}/.ssh/authorized_keys"
