"""Finds the one commit that a run deploys: the pinned one, or what the branch points to right now.

The question goes to the repository from the controller while the program still loads its libraries; the droplet is
told a commit and never a branch, so a push in the middle of a run changes nothing.

Where the settings let a patched commit be deployed, the same question also asks for healing branches. One is taken as
long as it carries the name of the very commit that the branch points to: nothing has to be remembered for that, every
controller sees the same, and the next push to the branch, or the removal of the healing branch, ends it.
"""

from __future__ import annotations

__all__ = ["PINNED", "CommitLookup", "healing_branch", "release_tag"]

import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING

from infra.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Workload

DEADLINE_S = 30
PINNED = "GREENROOM_COMMIT"
"""The variable by which the command line has the program keep the commit that is deployed."""
_LINE = re.compile(r"([0-9a-f]{40})\trefs/heads/(\S+)")
_NAMED = 12


def release_tag(commit: str) -> str:
    """Give the tag of a release's images."""
    return f"staging-{commit[:7]}"


def healing_branch(prefix: str, commit: str) -> str:
    """Give the branch on which a commit is mended."""
    return f"{prefix}{commit[:_NAMED]}"


def _mended(heads: Mapping[str, str], commit: str, prefix: str) -> str:
    """Follow healing branches from a commit: a second fault is mended on top of the first; a circle ends."""
    seen: set[str] = set()
    while prefix and commit not in seen and (patched := heads.get(healing_branch(prefix, commit))):
        seen.add(commit)
        commit = patched
    return commit


class CommitLookup:
    """The lookup of one workload's commit, started at once and awaited by `commit`.

    With `pinned` nobody is asked: what is mended stays what it is, whatever has been pushed since.
    """

    def __init__(self, workload: Workload, *, healing_prefix: str = "", pinned: str = "") -> None:
        self._workload, self._prefix = workload, healing_prefix
        self.mends = ""
        """The branch's own commit, where the one that is taken is a healing branch's."""
        self._outcome: str | StepError = workload.commit or pinned
        self._thread: threading.Thread | None = None
        if not self._outcome:
            self._thread = threading.Thread(target=self._ask, name="git ls-remote", daemon=True)
            self._thread.start()

    def commit(self) -> str:
        """Wait for the answer; raises StepError when the repository or the branch cannot be had."""
        if self._thread:
            self._thread.join()
        if isinstance(self._outcome, StepError):
            raise self._outcome
        return self._outcome

    def _ask(self) -> None:
        workload = self._workload
        argv = ["git", "ls-remote", "--", workload.repository, f"refs/heads/{workload.branch}"]
        argv += [f"refs/heads/{self._prefix}*"] if self._prefix else []
        environment = {
            **os.environ,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:ssh",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
        }
        try:
            answer = subprocess.run(
                argv, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
            )
        except subprocess.TimeoutExpired:
            self._outcome = self._failure(argv, None, f"no answer within {DEADLINE_S} s", "GIT_TIMEOUT")
            return
        except FileNotFoundError:
            self._outcome = self._failure(argv, None, "git is not installed here", "GIT_MISSING")
            return
        heads = {branch: commit for commit, branch in _LINE.findall(answer.stdout)}
        head = heads.get(workload.branch, "")
        if answer.returncode:
            self._outcome = self._failure(argv, answer.returncode, answer.stderr, "GIT_UNREACHABLE")
        elif not head:
            self._outcome = self._failure(argv, 0, f"no branch {workload.branch} there", "BRANCH_MISSING")
        else:
            newest = _mended(heads, head, self._prefix)
            self.mends = head if newest != head else ""
            self._outcome = newest

    def _failure(self, argv: list[str], status: int | None, evidence: str, code: str) -> StepError:
        return StepError(
            phase="source",
            host="controller",
            command=" ".join(argv),
            exit_status=status,
            evidence=evidence,
            code=code,
            hint=" ".join(argv[:3] + argv[3:4] + ["'refs/heads/*'"]),
        )
