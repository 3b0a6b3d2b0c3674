"""The commit of a run: the pinned one without asking, or the branch's, from a repository that answers in time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import source
from infra.errors import StepError
from infra.settings import load_file
from infra.source import CommitLookup, release_tag

if TYPE_CHECKING:
    from infra.settings.model import Workload

ROOT = Path(__file__).parents[2]


def workload(**changes: object) -> Workload:
    return load_file(ROOT / "Pulumi.local.yaml", root=ROOT).workload.model_copy(update=changes)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A repository reached under the name of the local cloud's git server."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path)]
    subprocess.run([*git[:1], "init", "-q", "-b", "develop", str(tmp_path)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    for name, value in (
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", f"url.{tmp_path}.insteadOf"),
        ("GIT_CONFIG_VALUE_0", "http://git.greenroom.test/tsh-erp.git"),
    ):
        monkeypatch.setenv(name, value)
    return "http://git.greenroom.test/tsh-erp.git", head


def test_a_pinned_commit_is_taken_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert CommitLookup(workload(commit="b" * 40)).commit() == "b" * 40


def test_a_run_that_only_mends_keeps_the_deployed_commit_and_asks_nobody() -> None:
    nowhere = workload(repository="http://127.0.0.1:1/nothing.git")
    assert CommitLookup(nowhere, healing_prefix="greenroom/heal-", pinned="c" * 40).commit() == "c" * 40
    assert CommitLookup(workload(commit="b" * 40), pinned="c" * 40).commit() == "b" * 40, "the settings say more"


def test_a_protocol_that_reads_the_controller_s_disk_is_refused_even_behind_a_rewrite(
    repository: tuple[str, str],
) -> None:
    with pytest.raises(StepError) as caught:
        CommitLookup(workload(repository=repository[0])).commit()
    assert caught.value.code == "GIT_UNREACHABLE"
    assert "not allowed" in caught.value.evidence


def test_no_answer_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(source, "DEADLINE_S", 0.3)
    with pytest.raises(StepError) as caught:
        CommitLookup(workload()).commit()
    assert caught.value.code == "GIT_TIMEOUT"
    assert caught.value.exit_code == 4


def test_a_missing_branch_is_told_with_the_command_that_lists_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "git"
    empty.write_text("#!/bin/sh\nexit 0\n")
    empty.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(StepError) as caught:
        CommitLookup(workload(branch="nowhere")).commit()
    assert caught.value.code == "BRANCH_MISSING"
    assert caught.value.hint.startswith("git ls-remote -- http://")


def test_the_tag_is_made_of_the_commit() -> None:
    assert release_tag("0123456789" * 4) == "staging-0123456"
