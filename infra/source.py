"""Finds the one commit that a run deploys: the pinned one, or what the branch points to right now.

The question goes to the repository from the controller while the program still loads its libraries; the droplet is
told a commit and never a branch, so a push in the middle of a run changes nothing.
"""

from __future__ import annotations

__all__ = ["CommitLookup", "release_tag"]

import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING

from infra.errors import StepError

if TYPE_CHECKING:
    from infra.settings.model import Workload

DEADLINE_S = 30
_LINE = re.compile(r"([0-9a-f]{40})\trefs/heads/(\S+)")


def release_tag(commit: str) -> str:
    """Give the tag of a release's images."""
    return f"staging-{commit[:7]}"


class CommitLookup:
    """The lookup of one workload's commit, started at once and awaited by `commit`."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._outcome: str | StepError = workload.commit or ""
        self._thread: threading.Thread | None = None
        if not workload.commit:
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
        match = _LINE.search(answer.stdout)
        if answer.returncode:
            self._outcome = self._failure(argv, answer.returncode, answer.stderr, "GIT_UNREACHABLE")
        elif not match:
            self._outcome = self._failure(argv, 0, f"no branch {workload.branch} there", "BRANCH_MISSING")
        else:
            self._outcome = match.group(1)

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
