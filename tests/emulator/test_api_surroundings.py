"""What surrounds the API: publishing directories as commits, processes by identity, address blocks by claim."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from localcloud.digitalocean.claims import MOST_CLOUDS, claim, release
from localcloud.processes import ProcessIdentity, end
from localcloud.publishing import PublishingError, git, publish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "app"
    (directory / "sub").mkdir(parents=True)
    (directory / "compose.yml").write_text("services: {}\n")
    (directory / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (directory / "sub" / "run.sh").chmod(0o755)
    return directory


def files(repository: Path, commit: str) -> list[str]:
    listed = git(["ls-tree", "-r", "--format=%(objectmode) %(path)", commit], {"GIT_DIR": str(repository)})
    return listed.splitlines()


def test_a_directory_becomes_a_commit(source: Path, tmp_path: Path) -> None:
    repository = tmp_path / "git" / "app.git"
    made = publish(repository, source, "develop")
    assert files(repository, made) == ["100644 compose.yml", "100755 sub/run.sh"]
    assert git(["symbolic-ref", "HEAD"], {"GIT_DIR": str(repository)}) == "refs/heads/develop"
    clone = tmp_path / "clone"
    git(["clone", "--quiet", str(repository), str(clone)])
    assert (clone / "compose.yml").read_text() == "services: {}\n"


def test_the_same_content_makes_the_same_commits_anywhere(source: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.git", tmp_path / "two.git"
    first = publish(one, source, "develop")
    assert publish(one, source, "develop") == first == publish(two, source, "develop")
    (source / "compose.yml").write_text("services: {a: {}}\n")
    second = publish(one, source, "develop")
    assert second == publish(two, source, "develop") != first
    assert git(["rev-list", "--count", "develop"], {"GIT_DIR": str(one)}) == "2"


def test_what_disappears_from_the_directory_disappears_from_the_branch(source: Path, tmp_path: Path) -> None:
    repository = tmp_path / "app.git"
    publish(repository, source, "develop")
    (source / "compose.yml").unlink()
    assert files(repository, publish(repository, source, "develop")) == ["100755 sub/run.sh"]


def test_caches_and_ignored_files_stay_at_home(source: Path, tmp_path: Path) -> None:
    (source / ".gitignore").write_text("*.log\n")
    for name in ("x.log", "node_modules/a.js", "sub/__pycache__/m.pyc"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("")
    listed = files(tmp_path / "app.git", publish(tmp_path / "app.git", source, "develop"))
    assert [line.split()[1] for line in listed] == [".gitignore", "compose.yml", "sub/run.sh"]


def test_the_callers_git_settings_do_not_matter(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = publish(tmp_path / "one.git", source, "develop")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
    assert publish(tmp_path / "two.git", source, "develop") == plain


def test_the_directory_is_not_touched(source: Path, tmp_path: Path) -> None:
    before = sorted(path.relative_to(source) for path in source.rglob("*"))
    publish(tmp_path / "app.git", source, "develop")
    assert sorted(path.relative_to(source) for path in source.rglob("*")) == before


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match=r"no directory to publish: .*nowhere"):
        publish(tmp_path / "app.git", tmp_path / "nowhere", "develop")


def test_git_says_why_it_refuses(source: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match=r"git init failed: .*invalid initial branch name"):
        publish(tmp_path / "app.git", source, "bad..name")


def sleeper(script: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_process_is_itself_and_not_one_with_its_number() -> None:
    with sleeper("print('ready', flush=True); import time; time.sleep(60)") as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        assert identity.is_running
        other = ProcessIdentity(identity.pid, identity.started_ticks + 1)
        assert not other.is_running
        assert end(other, 5)
        assert identity.is_running
        assert end(identity, 5)
        assert not identity.is_running
        assert end(identity, 5)


def test_a_process_that_does_not_listen_is_killed() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    with sleeper(script) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        assert not end(identity, 0.2)
        assert process.wait() == -9


def test_no_process_has_no_identity() -> None:
    assert ProcessIdentity.of(2**22 + 1) is None
    assert end(ProcessIdentity(2**22 + 1, 1), 1)


def home_of(path: Path) -> Path:
    """A home with a state."""
    (path / "cloud").mkdir(parents=True)
    (path / "cloud" / "state.sqlite").touch()
    return path


def test_clouds_on_one_machine_hand_out_different_addresses(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    one, two = home_of(tmp_path / "one"), home_of(tmp_path / "two")
    assert [claim(one, shared), claim(two, shared), claim(one, shared)] == [0, 1, 0]
    (one / "cloud" / "state.sqlite").unlink()
    assert claim(home_of(tmp_path / "three"), shared) == 0
    assert claim(two, shared) == 1
    release(two, shared)
    assert claim(home_of(tmp_path / "four"), shared) == 1
    for name in ("three", "four"):
        release(tmp_path / name, shared)
    assert not shared.exists()


def test_a_machine_full_of_clouds_says_so(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    for number in range(MOST_CLOUDS):
        assert claim(home_of(tmp_path / str(number)), shared) == number
    with pytest.raises(RuntimeError, match="All 100 address blocks are taken"):
        claim(home_of(tmp_path / "late"), shared)
