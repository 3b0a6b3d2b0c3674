"""The workload's source: an exact commit in its directory, and the directories that its containers write to."""

from __future__ import annotations

__all__ = ["Checkout"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.host.findings import Finding, of_file
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions


_CHANGES = {"?": "added", "D": "removed", "M": "edited", "A": "added"}
"""What the first letter of a line of `git status --porcelain` tells."""


class CheckoutProvider(HostProvider):
    """Edits made on the host are drift; they are saved aside before the commit comes back."""

    subject = "checkout"
    phase = "clone"
    timeout_s = 900.0

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the tree and for the directories."""
        found: dict[str, dict[str, Any]] = {
            "tree": {"kind": "checkout", "directory": spec["directory"], "owner": spec["owner"]},
        }
        for each in spec["directories"]:
            found[_path(spec, each)] = {"kind": "file", "path": _path(spec, each)}
        return found

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Check out, then make the directories: a clone wants an empty place."""
        tree = facts["tree"]
        changed = _changed(spec, facts)
        names = ("repository", "branch", "commit", "directory", "owner")
        source = {**{name: spec[name] for name in names}, "save": changed, "keep": _own(spec)}
        steps: list[acts.Act] = []
        if not tree["commit"]:
            steps.append(acts.checkout(f"{spec['directory']} is no checkout", **source))
        elif tree["commit"] != spec["commit"]:
            why = f"commit {tree['commit'][:12]} is checked out instead of {spec['commit'][:12]}"
            steps.append(acts.checkout(why, **source))
        elif changed or tree["url"] != spec["repository"]:
            why = f"edited on the host: {', '.join(changed)}" if changed else f"the origin is {tree['url']}"
            steps.append(acts.checkout(why, **source))
        for each in spec["directories"]:
            steps += _directory(spec, each, facts[_path(spec, each)])
        return steps

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Name the other commit, each path that was edited, and each directory."""
        tree, place = facts["tree"], spec["directory"]
        if not tree["commit"]:
            return [Finding(f"{place} is no checkout", spec["commit"], "none")]
        differing: list[Finding] = []
        if tree["commit"] != spec["commit"]:
            what = f"{place} is at another commit"
            differing.append(Finding(what, spec["commit"], tree["commit"], tree.get("head_at")))
        if tree["url"] != spec["repository"]:
            differing.append(Finding(f"{place} has another origin", spec["repository"], tree["url"]))
        times = tree.get("times", {})
        for entry in _changed(spec, facts):
            there = _CHANGES.get(entry[:2].strip()[:1], "changed")
            differing.append(Finding(f"{place}/{entry[3:]} was {there}", "as committed", there, times.get(entry)))
        for each in spec["directories"]:
            found = facts[_path(spec, each)]
            there = f"{found['mode']} {found['owner']}" if found["exists"] else "missing"
            if steps := _directory(spec, each, found):
                differing.append(of_file(steps[0].why, f"{each['mode']} {_owner(each)}", there, found))
        return differing

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the commit that is there, and what differs from it."""
        return {"commit": facts["tree"]["commit"], "modified": _changed(spec, facts)}

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Remove the tree, with what the workload wrote into it."""
        return [acts.remove("the checkout is no longer wanted", spec["directory"])]


class Checkout(Resource, module="greenroom", name="Checkout"):
    """A repository at an exact commit.

    `keep` are untracked paths in it that belong to the deployment: env file, logs, uploads. `directories` are made
    with an owner and a mode, `path` relative to the checkout.
    """

    commit: Output[str]
    modified: Output[list[str]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        repository: Input[str],
        branch: Input[str],
        commit: Input[str],
        directory: Input[str],
        owner: Input[str],
        keep: Sequence[str] = (),
        directories: Sequence[Mapping[str, Any]] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "repository": repository,
            "branch": branch,
            "commit": commit,
            "directory": directory,
            "owner": owner,
            "keep": list(keep),
            "directories": [dict(each) for each in directories],
            "modified": None,
        }
        super().__init__(CheckoutProvider(), name, props, opts)


def _own(spec: dict[str, Any]) -> list[str]:
    """Return the paths below the checkout that are the deployment's own."""
    return [*spec["keep"], *(each["path"] for each in spec["directories"])]


def _changed(spec: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    own = _own(spec)
    return [entry for entry in facts["tree"]["changed"] if not _is_kept(entry, own)]


def _is_kept(entry: str, keep: list[str]) -> bool:
    path = entry[3:]
    if not entry.startswith("??"):
        return False
    inside = (path.rstrip("/") == kept.rstrip("/") or path.startswith(f"{kept.rstrip('/')}/") for kept in keep)
    return any(inside) or any(kept.startswith(path) for kept in keep)


def _directory(spec: dict[str, Any], entry: dict[str, Any], found: dict[str, Any]) -> list[acts.Act]:
    owner, path, mode = _owner(entry), _path(spec, entry), str(entry["mode"])
    if not found["exists"]:
        return [acts.directory(f"{path} is missing", path, owner=owner, mode=mode)]
    if found["mode"] != mode or owner not in (found["owner"], found["uid"]):
        why = f"{path} belongs to {found['owner']} with mode {found['mode']}, not to {owner} with {mode}"
        return [acts.directory(why, path, owner=owner, mode=mode)]
    return []


def _owner(entry: dict[str, Any]) -> str:
    owner = entry["owner"]
    return str(int(owner)) if isinstance(owner, float | int) else str(owner)


def _path(spec: dict[str, Any], entry: dict[str, Any]) -> str:
    return f"{spec['directory']}/{entry['path']}"
