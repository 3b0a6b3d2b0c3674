"""Which keys open which account: in `authorized_keys` exactly those that are wanted, and none in any other file.

The workload's account has the keys that the program names. Root has the one key that this connection is made with: it
has just proved to work, and is the only one that must never go.
"""

from __future__ import annotations

__all__ = ["findings", "plan", "probes"]

from typing import TYPE_CHECKING, Any, NamedTuple

from infra.commands import acts
from infra.host.findings import Finding, of_file
from infra.host.keys import public_half

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODE = "0600"


class _Account(NamedTuple):
    user: str
    home: str
    keys: Sequence[str]

    @property
    def path(self) -> str:
        return f"{self.home}/.ssh/authorized_keys"

    @property
    def second(self) -> str:
        """The file that sshd reads too, unless it is told otherwise."""
        return f"{self.path}2"


def probes(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the questions, by the files' paths."""
    asked: dict[str, dict[str, Any]] = {}
    for home in ("/root", f"/home/{spec['user']}"):
        path = f"{home}/.ssh/authorized_keys"
        asked |= {
            path: {"kind": "file", "path": path, "content": True},
            f"{path}2": {"kind": "file", "path": f"{path}2"},
        }
    return asked


def plan(spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
    """Write the keys where they are others; remove the second file."""
    steps: list[acts.Act] = []
    for account in _accounts(spec):
        wanted = "".join(f"{key}\n" for key in account.keys)
        found = facts[account.path]
        if (found.get("content"), found["mode"], found["owner"]) != (wanted, _MODE, account.user):
            why = _others(account)
            steps += [
                acts.directory(why, f"{account.home}/.ssh", owner=account.user, mode="0700"),
                acts.write(why, account.path, wanted, owner=account.user, mode=_MODE),
            ]
        if facts[account.second]["exists"]:
            steps.append(acts.remove(_second(account), account.second))
    return steps


def findings(spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
    """Tell how many keys are in the files and how many of them are unknown; no key is told."""
    planned = {act.why for act in plan(spec, facts)}
    differing: list[Finding] = []
    for account in _accounts(spec):
        found = facts[account.path]
        if _others(account) in planned:
            lines = str(found.get("content", "")).splitlines()
            extra = len([line for line in lines if line not in account.keys])
            there = (
                f"{len(lines)} keys, {extra} of them unknown, {found['mode'] or 'no file'} {found['owner']}".rstrip()
            )
            wanted = f"{len(account.keys)} keys, {_MODE} {account.user}"
            differing.append(of_file(_others(account), wanted, there, found))
        if _second(account) in planned:
            differing.append(of_file(_second(account), "missing", "present", facts[account.second]))
    return differing


def _accounts(spec: dict[str, Any]) -> tuple[_Account, _Account]:
    user, keys = spec["user"], spec["authorized_keys"]
    own = public_half(spec["connection"]["private_key"])
    named = next((key for key in keys if key.split()[:2] == own.split()), own)
    return _Account("root", "/root", [named]), _Account(user, f"/home/{user}", keys)


def _others(account: _Account) -> str:
    return f"the keys that open {account.user}'s account are others"


def _second(account: _Account) -> str:
    return f"{account.second} can open {account.user}'s account too"
