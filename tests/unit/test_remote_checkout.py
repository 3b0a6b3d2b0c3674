"""What a checkout is told to be, by one `git status`: held against what git itself says in format 1."""

from __future__ import annotations

import getpass
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.transport.remote.checkout import checkout_fact

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = ("user.name=t", "user.email=t@example.test", "commit.gpgsign=false", "init.defaultBranch=main")


class Tree:
    """A repository with three files in one commit."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.git("init", "-q", "-b", "main")
        for name in ("a", "b", "with space"):
            (directory / name).write_text(name)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")

    def git(self, *words: str, check: bool = True) -> str:
        options = [part for each in CONFIG for part in ("-c", each)]
        argv = ["git", "-C", str(self.directory), *options, *words]
        return subprocess.run(argv, check=check, capture_output=True, text=True).stdout

    def fact(self) -> dict[str, Any]:
        return checkout_fact({"directory": str(self.directory), "owner": getpass.getuser()})

    def told_first(self) -> list[str]:
        """Give what format 1 says."""
        text = self.git("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal")
        return sorted(entry for entry in text.split("\0") if entry)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree").mkdir()
    return Tree(tmp_path / "tree")


def test_a_clean_tree_is_at_its_commit(tree: Tree) -> None:
    tree.git("remote", "add", "origin", "https://example.test/x.git")
    fact = tree.fact()
    assert fact["commit"] == tree.git("rev-parse", "HEAD").strip()
    assert (fact["exists"], fact["changed"], fact["url"]) == (True, [], "https://example.test/x.git")
    tree.git("checkout", "-q", "--detach")
    assert tree.fact()["commit"] == fact["commit"]


def test_every_kind_of_difference_is_told_as_format_1_does(tree: Tree) -> None:
    directory = tree.directory
    (directory / "a").write_text("edited")
    (directory / "with space").unlink()
    (directory / 'odd "name"\n.txt').write_text("new")
    (directory / "1 .M N... trap").write_text("reads like an entry")
    (directory / "# branch.oid trap").write_text("reads like a header")
    (directory / "folder").mkdir()
    (directory / "folder" / "inside").write_text("new")
    (directory / "staged").write_text("new")
    tree.git("add", "staged")
    (directory / "staged").write_text("and edited")
    tree.git("mv", "b", "renamed")
    fact = tree.fact()
    assert fact["changed"] == tree.told_first()
    assert len(fact["changed"]) == 9
    assert {" M a", " D with space", "AM staged", "D  b", "A  renamed", "?? folder/"} <= set(fact["changed"])
    assert fact["times"][" D with space"] is None
    assert fact["times"][" M a"]
    assert fact["commit"] == tree.git("rev-parse", "HEAD").strip()


def test_a_merge_that_was_left_is_told(tree: Tree) -> None:
    for branch in ("one", "two"):
        tree.git("checkout", "-q", "-b", branch, "main")
        (tree.directory / "a").write_text(branch)
        tree.git("commit", "-q", "-am", branch)
    tree.git("merge", "-q", "one", check=False)
    assert tree.fact()["changed"] == tree.told_first() == ["UU a"]


def test_a_branch_without_a_commit_has_none(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    fact = checkout_fact({"directory": str(tmp_path), "owner": getpass.getuser()})
    assert (fact["commit"], fact["changed"]) == ("", [])


def test_records_that_git_can_t_read_are_a_difference(tree: Tree) -> None:
    commit = tree.git("rev-parse", "HEAD").strip()
    (tree.directory / ".git" / "index").write_bytes(b"broken")
    fact = tree.fact()
    assert (fact["commit"], fact["changed"]) == (commit, ["?? .git"])
    (tree.directory / ".git" / "HEAD").write_text("ref: refs/heads/none-such\n")
    assert tree.fact()["commit"] == ""


def test_what_is_no_checkout_has_nothing(tmp_path: Path) -> None:
    fact = checkout_fact({"directory": str(tmp_path / "none"), "owner": getpass.getuser()})
    assert (fact["exists"], fact["commit"]) == (False, "")
