"""The workload's source on the host: an exact commit, cloned whole or not at all, local edits saved aside first."""

from __future__ import annotations

__all__ = ["checkout_act", "checkout_fact"]

import os
import pwd
import time

from infra.transport.remote.files import instant
from infra.transport.remote.processes import Finished, command_text, run
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
_HEAD = ["rev-parse", "--verify", "-q", "HEAD^{commit}"]
_OID, _UNBORN = "# branch.oid ", "(initial)"
_FIELDS = {"1": 7, "u": 9}
"""How many fields stand before the path of a changed and of an unmerged entry, by what it begins with."""
_GIT = ["git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"]


def checkout_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell which commit is checked out, from where, and which paths differ from it."""
    directory, owner = probe["directory"], probe["owner"]
    if not os.path.isdir(f"{directory}/.git"):  # noqa: PTH112
        return {"exists": os.path.exists(directory), "commit": "", "url": "", "changed": []}  # noqa: PTH110
    url = _git(["config", "--get", "remote.origin.url"], directory, owner)
    commit, changed = _state(directory, owner)
    return {
        "exists": True,
        "commit": commit,
        "url": url.stdout.strip(),
        "changed": changed,
        "times": {entry: _changed_at(f"{directory}/{entry[3:]}") for entry in changed},
        "head_at": _changed_at(f"{directory}/.git/HEAD"),
    }


def _state(directory: str, owner: str) -> tuple[str, list[str]]:
    """Return the commit, and the paths that differ from it as `git status` told them first: `XY path` (format 1).

    Format 2 has the commit as well, so that one process tells both (git-status(1), "Porcelain Format Version 2").
    """
    asked = ["status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames"]
    state = _git([*asked, "--untracked-files=normal"], directory, owner)
    if state.exit_status != 0:
        return _git(_HEAD, directory, owner).stdout.strip(), [_UNREADABLE]
    commit, changed = "", list[str]()
    for entry in state.stdout.split("\0"):
        kind, _, rest = entry.partition(" ")
        if kind == "?":
            changed.append(f"?? {rest}")
        elif kind in _FIELDS:
            fields = rest.split(" ", _FIELDS[kind])
            changed.append(f"{fields[0].replace('.', ' ')} {fields[-1]}")
        elif entry.startswith(_OID):
            commit = entry.removeprefix(_OID)
    return "" if commit == _UNBORN else commit, sorted(changed)


def checkout_act(act: dict[str, Any], report: Reporter) -> None:
    """Bring the directory to the commit.

    A new tree is made beside the directory and takes its name when it is complete; in a tree that is there, what was
    edited by hand is moved to `<directory>.saved-<time>` before the commit is checked out. Where git's own records are
    broken (half a clone, a lost pack), they are moved there too, and fetched anew first.
    """
    directory, owner = act["directory"], act["owner"]
    if os.path.isdir(f"{directory}/.git"):  # noqa: PTH112
        _give_back(f"{directory}/.git", owner)
        saved = f"{directory}.saved-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        if _is_whole(directory, owner):
            _save_aside(directory, [entry[3:] for entry in act["save"] if entry != _UNREADABLE], saved, report)
        else:
            _renew(act, saved, report)
        _must(["reset", "-q", "--hard"], directory, owner, "CHECKOUT_FAILED")
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


def _is_whole(directory: str, owner: str) -> bool:
    """Tell whether git knows a commit there, and has every object that it is made of."""
    head = _git(_HEAD, directory, owner)
    if head.exit_status != 0:
        return False
    check = ["fsck", "--connectivity-only", "--no-dangling", "--no-reflogs", "--no-progress", "HEAD"]
    return _git(check, directory, owner, timeout_s=600).exit_status == 0


def _renew(act: dict[str, Any], saved: str, report: Reporter) -> None:
    """Give a tree new records in place of broken ones, and move away what stands in it and is not of the commit.

    The tree itself stays where it is: containers have directories of it mounted. Until the new records are complete
    nothing is changed.
    """
    import shutil  # noqa: PLC0415 (a look needs none of it)

    directory, owner = act["directory"], act["owner"]
    partial = _fetched(act)
    os.makedirs(saved, exist_ok=True)  # noqa: PTH103
    os.rename(f"{directory}/.git", f"{saved}/.git")  # noqa: PTH104
    os.rename(f"{partial}/.git", f"{directory}/.git")  # noqa: PTH104
    shutil.rmtree(partial, ignore_errors=True)
    report.say(f"git's broken records saved in {saved}")
    _must(["reset", "-q", act["commit"]], directory, owner, "CHECKOUT_FAILED")
    kept = [f":(exclude,literal){path.rstrip('/')}" for path in act["keep"]]
    edited = _must(["diff", "--name-only", "-z", "HEAD"], directory, owner, "CHECKOUT_FAILED")
    others = ["ls-files", "--others", "--exclude-standard", "-z", "--", ".", *kept]
    added = _must(others, directory, owner, "CHECKOUT_FAILED")
    _save_aside(directory, [path for path in (edited + added).split("\0") if path], saved, report)


def _fetched(act: dict[str, Any]) -> str:
    """Return a place beside the directory with git's records of the commit, and no tree."""
    import shutil  # noqa: PLC0415 (as above)

    directory, owner = act["directory"], act["owner"]
    partial = f"{directory}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    parent = os.path.dirname(directory)  # noqa: PTH120
    _must(["init", "-q", partial], parent, owner, "CLONE_FAILED")
    _must(["remote", "add", "origin", act["repository"]], partial, owner, "CLONE_FAILED")
    _fetch(act, partial)
    return partial


def _clone(act: dict[str, Any], directory: str, owner: str) -> None:
    partial = _fetched(act)
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


def _save_aside(directory: str, paths: list[str], saved: str, report: Reporter) -> None:
    """Move what differs to another directory; what the deployment keeps there is not among it."""
    import shutil  # noqa: PLC0415 (as above)

    there = [path.rstrip("/") for path in paths if os.path.lexists(f"{directory}/{path.rstrip('/')}")]
    for path in there:
        target = f"{saved}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        shutil.move(f"{directory}/{path}", target)
        _remove_emptied(directory, os.path.dirname(path))  # noqa: PTH120
    if there:
        report.say(f"{len(there)} local changes saved in {saved}")


def _remove_emptied(directory: str, folder: str) -> None:
    """Remove the folders that hold nothing any more, from the inside out."""
    while folder:
        try:
            os.rmdir(f"{directory}/{folder}")  # noqa: PTH106
        except OSError:
            return
        folder = os.path.dirname(folder)  # noqa: PTH120


def _git(words: list[str], directory: str, owner: str, *, timeout_s: float = 60.0) -> Finished:
    return run([*_GIT, *words], cwd=directory, user=owner, env=_ENVIRONMENT, timeout_s=timeout_s)


def _must(words: list[str], directory: str, owner: str, code: str) -> str:
    """Run git and return what it printed; ActFailure of the code where it fails."""
    finished = _git(words, directory, owner, timeout_s=600)
    if finished.exit_status != 0:
        text = command_text(["git", "-C", directory, *words])
        raise ActFailure(code, text, finished.exit_status, finished.printed, f"sudo -u {owner} {text}")
    return finished.stdout
