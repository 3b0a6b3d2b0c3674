"""The workload's source on the host: an exact commit, cloned whole or not at all, local edits saved aside first."""

from __future__ import annotations

__all__ = ["checkout_act", "checkout_fact"]

import os
import pwd
import time
from typing import TYPE_CHECKING, Any

from infra.transport.remote.files import instant
from infra.transport.remote.processes import Finished, command_text, run
from infra.transport.remote.report import ActFailure

if TYPE_CHECKING:
    from infra.transport.remote.report import Reporter

_ENVIRONMENT = {
    # ext:: and file: would run commands or read files of the host's choosing.
    "GIT_ALLOW_PROTOCOL": "http:https:ssh",
    "GIT_OPTIONAL_LOCKS": "0",  # a look writes nothing, not even a fresher index
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes",
}
_UNREADABLE = "?? .git"
"""Stands among the differences when git can't read its own records, mostly because root has written some of them."""
_GIT = ["git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"]


def checkout_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell which commit is checked out, from where, and which paths differ from it."""
    directory, owner = probe["directory"], probe["owner"]
    if not os.path.isdir(f"{directory}/.git"):  # noqa: PTH112
        return {"exists": os.path.exists(directory), "commit": "", "url": "", "changed": []}  # noqa: PTH110
    head = _git(["rev-parse", "--verify", "-q", "HEAD^{commit}"], directory, owner)
    url = _git(["config", "--get", "remote.origin.url"], directory, owner)
    state = _git(["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal"], directory, owner)
    changed = sorted(entry for entry in state.stdout.split("\0") if entry) if state.exit_status == 0 else [_UNREADABLE]
    return {
        "exists": True,
        "commit": head.stdout.strip(),
        "url": url.stdout.strip(),
        "changed": changed,
        "times": {entry: _changed_at(f"{directory}/{entry[3:]}") for entry in changed},
        "head_at": _changed_at(f"{directory}/.git/HEAD"),
    }


def checkout_act(act: dict[str, Any], report: Reporter) -> None:
    """Bring the directory to the commit.

    A new tree is made beside the directory and takes its name when it is complete; in a tree that is there, what was
    edited by hand is moved to `<directory>.saved-<time>` before the commit is checked out.
    """
    directory, owner = act["directory"], act["owner"]
    if os.path.isdir(f"{directory}/.git"):  # noqa: PTH112
        _give_back(f"{directory}/.git", owner)
        _save_aside(act, report)
        _fetch(act, directory)
        _must(["checkout", "--force", "--detach", act["commit"]], directory, owner, "CHECKOUT_FAILED")
        return
    if os.path.isdir(directory) and os.listdir(directory):  # noqa: PTH112, PTH208
        raise ActFailure(
            "DIRECTORY_OCCUPIED",
            f"git clone {act['repository']} {directory}",
            None,
            "\n".join(sorted(os.listdir(directory))[:20]),  # noqa: PTH208
            f"ls -la {directory}; move what is there away, it is no checkout",
        )
    _clone(act, directory, owner)


def _give_back(records: str, owner: str) -> None:
    """Make git's records the owner's again: whoever asks for the status as root leaves an index of root's."""
    entry = pwd.getpwnam(owner)
    for folder, folders, files in os.walk(records):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            if os.lstat(path).st_uid != entry.pw_uid:
                os.lchown(path, entry.pw_uid, entry.pw_gid)


def _changed_at(path: str) -> str | None:
    try:
        return instant(os.lstat(path).st_mtime)
    except OSError:
        return None


def _clone(act: dict[str, Any], directory: str, owner: str) -> None:
    import shutil  # noqa: PLC0415 (a look needs none of it)

    partial = f"{directory}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    parent = os.path.dirname(directory)  # noqa: PTH120
    _must(["init", "-q", partial], parent, owner, "CLONE_FAILED")
    _must(["remote", "add", "origin", act["repository"]], partial, owner, "CLONE_FAILED")
    _fetch(act, partial)
    _must(["checkout", "-q", "--detach", act["commit"]], partial, owner, "CHECKOUT_FAILED")
    if os.path.isdir(directory):  # noqa: PTH112
        os.rmdir(directory)  # noqa: PTH106
    os.rename(partial, directory)  # noqa: PTH104


def _fetch(act: dict[str, Any], directory: str) -> None:
    """Fetch just the commit; from a server that hands out branches only, the branch."""
    owner, commit = act["owner"], act["commit"]
    _must(["remote", "set-url", "origin", act["repository"]], directory, owner, "FETCH_FAILED")
    if _git(["cat-file", "-e", f"{commit}^{{commit}}"], directory, owner).exit_status == 0:
        return
    exact = _git(["fetch", "-q", "--no-tags", "--depth=1", "origin", commit], directory, owner, timeout_s=600)
    if exact.exit_status == 0:
        return
    branch = f"+refs/heads/{act['branch']}:refs/remotes/origin/{act['branch']}"
    _must(["fetch", "-q", "--no-tags", "origin", branch], directory, owner, "FETCH_FAILED")
    if _git(["cat-file", "-e", f"{commit}^{{commit}}"], directory, owner).exit_status != 0:
        raise ActFailure(
            "COMMIT_MISSING",
            f"git fetch origin {commit}",
            exact.exit_status,
            exact.printed,
            f"git ls-remote {act['repository']} {act['branch']}",
        )


def _save_aside(act: dict[str, Any], report: Reporter) -> None:
    """Move the named differences away, then restore the tree; what the deployment keeps there is not among them."""
    import shutil  # noqa: PLC0415 (as above)

    directory, owner = act["directory"], act["owner"]
    changed = [entry for entry in act["save"] if entry != _UNREADABLE]
    if not changed:
        return
    saved = f"{directory}.saved-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for entry in changed:
        path = entry[3:].rstrip("/")
        source, target = os.path.join(directory, path), os.path.join(saved, path)  # noqa: PTH118
        if os.path.lexists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            shutil.move(source, target)
    report.say(f"{len(changed)} local changes saved in {saved}")
    _must(["reset", "-q", "--hard"], directory, owner, "CHECKOUT_FAILED")


def _git(words: list[str], directory: str, owner: str, *, timeout_s: float = 60.0) -> Finished:
    return run([*_GIT, *words], cwd=directory, user=owner, env=_ENVIRONMENT, timeout_s=timeout_s)


def _must(words: list[str], directory: str, owner: str, code: str) -> None:
    finished = _git(words, directory, owner, timeout_s=600)
    if finished.exit_status != 0:
        text = command_text(["git", "-C", directory, *words])
        raise ActFailure(code, text, finished.exit_status, finished.printed, f"sudo -u {owner} {text}")
