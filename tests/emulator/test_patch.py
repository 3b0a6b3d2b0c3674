"""A missing lock file becomes a branch and a patch, against a real git server; npm's part is in test_remedies."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patchlab import ACT, DOCKERFILE, LOCK, PACKAGE, URL, Repository, seeded, served_repository

from infra.errors import GreenroomError
from infra.healing.lockfile import base_image, checked_lock, mended_ignore
from infra.settings import load_file
from infra.source import CommitLookup, healing_branch

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with served_repository(tmp_path) as served:
        yield served


def test_without_leave_to_push_there_is_a_patch_that_git_takes_and_the_repository_is_as_before(
    repository: Repository,
) -> None:
    base = seeded(repository)
    before = repository.branches()

    seen = repository.offer(base)

    assert seen.succeeded, seen
    assert "not pushed: greenroom:healing.push is off" in seen.after
    assert ".gitignore:3: removed package-lock.json" in seen.before
    assert repository.branches() == before
    (patch,) = (repository.bare.parent / "incident").iterdir()
    repository.git("am", "-q", str(patch))
    assert (repository.desk / ".gitignore").read_text() == "# caches\nnode_modules/\ndist/\n"
    lock = json.loads((repository.desk / "dashboard" / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/esbuild"] == {"version": "0.25.12", "integrity": "sha512-x"}
    changed = repository.git("show", "--name-only", "--format=%B", "HEAD")
    assert "npm error code EUSAGE" in changed
    assert "registry.test" not in patch.read_text()
    assert changed.splitlines()[-2:] == [".gitignore", "dashboard/package-lock.json"]


def test_with_leave_the_branch_is_pushed_once_and_offered_again_as_it_is(repository: Repository) -> None:
    base = seeded(repository)
    branch = healing_branch("greenroom/heal-", base)

    first = repository.offer(base, may_push=True)
    pushed = repository.branches()
    second = repository.offer(base, may_push=True)

    assert first.succeeded
    assert first.after.endswith("; pushed")
    assert set(pushed) == {"develop", branch}
    assert pushed["develop"] == base
    assert repository.git("rev-parse", f"{branch}^", at=repository.bare) == base
    assert second.succeeded
    assert "was there already" in second.after
    assert repository.branches() == pushed
    assert len(repository.npm.asked) == 1, "the second time npm is not needed"


def test_the_npm_of_the_image_is_given_the_package_files_of_the_commit_and_nothing_else(repository: Repository) -> None:
    base = seeded(
        repository,
        dashboard__packages__one__package_json="ignored: its name is another one",
        dashboard__server="code",
        dashboard__dot_npmrc="fund=false\n",
        dashboard__part__package="no",
    )

    repository.offer(base)

    (asked,) = repository.npm.asked
    assert asked["image"] == "node:20-alpine"
    assert asked["files"] == {"package.json": json.dumps(PACKAGE), ".npmrc": "fund=false\n"}


@pytest.mark.parametrize(
    ("ignored", "after"),
    [
        ("*.json\n", "*.json\n!/dashboard/package-lock.json\n"),
        ("*.json", "*.json\n!/dashboard/package-lock.json\n"),
        ("*-lock.*\npackage-lock.json\n", "*-lock.*\n!/dashboard/package-lock.json\n"),
        ("package-lock.json\n*-lock.*\n", "package-lock.json\n*-lock.*\n!/dashboard/package-lock.json\n"),
        ("/dashboard/package-lock.json\nx\n", "x\n"),
        ("dist/\n", "dist/\n"),
    ],
)
def test_just_the_line_that_hides_the_file_is_mended(repository: Repository, ignored: str, after: str) -> None:
    repository.commit(dashboard__package="first")
    (repository.desk / "dashboard" / "package.json").write_text(json.dumps(PACKAGE))
    repository.git("add", "--force", "dashboard/package.json")
    base = seeded(repository, dot_gitignore=ignored)

    assert repository.offer(base).succeeded

    (patch,) = (repository.bare.parent / "incident").iterdir()
    repository.git("am", "-q", str(patch))
    assert (repository.desk / ".gitignore").read_text() == after
    hidden = subprocess.run(
        ["git", "check-ignore", "-q", "--no-index", "dashboard/package-lock.json"], cwd=repository.desk, check=False
    )
    assert hidden.returncode == 1


def test_what_must_not_be_patched_is_refused_with_the_reason(repository: Repository) -> None:
    base = seeded(repository)
    other = replace(ACT, subject="elsewhere")
    assert "there is no elsewhere/package.json" in repository.offer(base, act=other).refused

    repository.git("commit", "-q", "--allow-empty", "-m", "somebody's own work")
    repository.git("push", "-q", str(repository.bare), f"HEAD:refs/heads/{healing_branch('greenroom/heal-', base)}")
    assert "is another change" in repository.offer(base, may_push=True).refused

    repository.git("reset", "-q", "--hard", base)
    without = seeded(repository, dashboard__Dockerfile="ARG NODE\nFROM node:${NODE}\nRUN npm ci\n")
    assert "nobody can tell which image" in repository.offer(without).refused
    tracked = repository.commit(dot_gitignore="", **{"dashboard__package-lock.json": "{}"})
    assert "package-lock.json is there already" in repository.offer(tracked).refused
    assert "reference is not a tree" in repository.offer("0" * 40).refused
    assert "which commit failed" in repository.offer("").refused
    assert repository.npm.asked == []


def test_a_lock_file_that_does_not_cover_what_is_asked_for_is_refused(repository: Repository) -> None:
    base = seeded(repository)
    repository.npm.lock = {**LOCK, "packages": {"": {"name": "dash"}}}

    assert "has no esbuild" in repository.offer(base).refused


def test_a_link_that_leads_out_of_the_repository_is_not_followed(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("FROM node:20-alpine\nRUN npm ci\n")
    base = seeded(repository)
    (repository.desk / "dashboard" / "Dockerfile").unlink()
    (repository.desk / "dashboard" / "Dockerfile").symlink_to(tmp_path / "outside")
    linked = repository.commit(another="file")
    assert linked != base

    assert "Dockerfile cannot be read" in repository.offer(linked).refused


def test_a_healing_branch_is_deployed_as_long_as_it_mends_the_newest_commit(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in repository.environment.items():
        if name.startswith("GIT_CONFIG"):
            monkeypatch.setenv(name, value)
    base = seeded(repository)
    workload = load_file(ROOT / "Pulumi.local.yaml", root=ROOT).workload.model_copy(update={"repository": URL})

    def deployed(prefix: str = "greenroom/heal-") -> tuple[str, str]:
        lookup = CommitLookup(workload, healing_prefix=prefix)
        return lookup.commit(), lookup.mends

    assert deployed() == (base, "")
    repository.offer(base, may_push=True)
    patched = repository.branches()[healing_branch("greenroom/heal-", base)]

    assert deployed() == (patched, base)
    second = repository.git("commit-tree", f"{patched}^{{tree}}", "-p", patched, "-m", "more", at=repository.bare)
    repository.git("update-ref", f"refs/heads/{healing_branch('greenroom/heal-', patched)}", second, at=repository.bare)
    assert deployed() == (second, base), "a second fault is mended on top of the first"
    repository.git("update-ref", f"refs/heads/{healing_branch('greenroom/heal-', second)}", patched, at=repository.bare)
    assert deployed()[1] == base, "a circle ends"
    assert deployed(prefix="") == (base, ""), "where the settings do not let it"
    newer = repository.commit(another="file")
    assert deployed() == (newer, "")


@pytest.mark.parametrize(
    ("dockerfile", "image"),
    [
        (DOCKERFILE, "node:20-alpine"),
        (
            "ARG V=20\nFROM --platform=linux/amd64 node:${V}-slim as base\nFROM base AS b\nRUN set -e; npm ci\n",
            "node:20-slim",
        ),
        ("FROM a AS one\nRUN npm ci --omit=dev\nFROM b\nRUN npm ci\n", "a"),
        ("FROM node:20\nRUN cd app && \\\n    npm clean-install\n", "node:20"),
        ("FROM node:20\nRUN npm install\n", ""),
        ("# FROM node\nRUN npm ci\n", ""),
        ("FROM node:$TAG\nRUN npm ci\n", ""),
        ("", ""),
    ],
)
def test_the_image_is_the_one_that_the_stage_with_npm_ci_stands_on(dockerfile: str, image: str) -> None:
    assert base_image(dockerfile) == image


@given(st.lists(st.text(alphabet="ab/*!# .", max_size=6), min_size=1, max_size=8), st.data())
def test_mending_touches_one_line_whatever_the_others_say(lines: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(lines)))
    text = "".join(f"{line}\n" for line in lines)

    mended, what = mended_ignore(text, number, ".gitignore", "d/package-lock.json")

    assert what == "negated"
    assert mended.splitlines() == [*lines[:number], "!/d/package-lock.json", *lines[number:]]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"packages": 3}', "not json"])
def test_what_is_no_lock_file_is_refused(text: str) -> None:
    with pytest.raises(GreenroomError, match="no lock file that can be read"):
        checked_lock(text, json.dumps(PACKAGE))
