"""The hosted git repositories, cloned by git itself."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from localcloud.hosting.git import application
from localcloud.publishing import publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "git"


@pytest.fixture
def url(root: Path) -> Iterator[str]:
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(root), log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    bound.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "app.py").write_text("print('one')\n")
    (folder / "blob").write_bytes(os.urandom(3_000_000))
    return folder


def git(*arguments: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=os.environ | ISOLATED, capture_output=True, text=True, timeout=60, check=False
    )
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def test_a_published_directory_is_cloned_at_its_commit(root: Path, url: str, source: Path, tmp_path: Path) -> None:
    commit = publish(root / "shop.git", source, "develop")
    git("clone", "--quiet", "--branch", "develop", f"{url}/shop.git", str(tmp_path / "clone"))
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone").stdout.strip() == commit
    assert (tmp_path / "clone" / "blob").read_bytes() == (source / "blob").read_bytes()


def test_a_clone_fetches_only_what_is_new(root: Path, url: str, source: Path, tmp_path: Path) -> None:
    publish(root / "shop.git", source, "develop")
    clone = tmp_path / "clone"
    git("clone", "--quiet", f"{url}/shop.git", str(clone))
    (source / "app.py").write_text("print('two')\n")
    newer = publish(root / "shop.git", source, "develop")
    fetched = git("-c", "protocol.version=2", "fetch", "--quiet", "origin", newer, cwd=clone)
    assert fetched.returncode == 0
    git("checkout", "--quiet", newer, cwd=clone)
    assert (clone / "app.py").read_text() == "print('two')\n"


@pytest.mark.parametrize("version", [0, 1, 2])
def test_every_protocol_version_lists_the_branches(root: Path, url: str, source: Path, version: int) -> None:
    commit = publish(root / "shop.git", source, "develop")
    listed = git("-c", f"protocol.version={version}", "ls-remote", f"{url}/shop.git", "refs/heads/develop")
    assert listed.stdout.split() == [commit, "refs/heads/develop"]


def test_many_clones_at_once_are_served(root: Path, url: str, source: Path, tmp_path: Path) -> None:
    publish(root / "shop.git", source, "develop")
    clones = [
        subprocess.Popen(
            ["git", "clone", "--quiet", f"{url}/shop.git", tmp_path / f"c{number}"], env=os.environ | ISOLATED
        )
        for number in range(5)
    ]
    assert [clone.wait(timeout=60) for clone in clones] == [0] * 5


def test_pushing_is_refused(root: Path, url: str, source: Path, tmp_path: Path) -> None:
    before = publish(root / "shop.git", source, "develop")
    clone = tmp_path / "clone"
    git("clone", "--quiet", f"{url}/shop.git", str(clone))
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "mine", cwd=clone)
    assert git("push", "--quiet", "origin", "HEAD:develop", cwd=clone, check=False).returncode != 0
    assert git("rev-parse", "develop", cwd=root / "shop.git").stdout.strip() == before


@pytest.mark.parametrize(
    "path",
    [
        "/absent.git/info/refs?service=git-upload-pack",
        "/../outside.git/info/refs",
        "/%2e%2e/outside.git/HEAD",
        "/shop.git/config",
        "/shop.git/objects/../config",
        "/",
        "/.git/HEAD",
    ],
)
def test_nothing_but_the_repositories_is_served(root: Path, url: str, source: Path, path: str) -> None:
    publish(root / "shop.git", source, "develop")
    publish(root.parent / "outside.git", source, "develop")
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: git\r\nConnection: close\r\n\r\n".encode())
        assert wire.recv(100).split()[1] == b"404"


def test_other_methods_are_refused(root: Path, url: str, source: Path) -> None:
    publish(root / "shop.git", source, "develop")
    assert httpx.delete(f"{url}/shop.git/HEAD").status_code == 403
    assert httpx.get(f"{url}/shop.git/info/refs?service=git-receive-pack").status_code == 403
