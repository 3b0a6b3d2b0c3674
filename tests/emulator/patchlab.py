"""A workload's repository on a git server of its own, and the patcher that healing would send there."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hostlab import serving_git

from infra.healing.lockfile import Patcher
from infra.healing.model import Act, Declared, Verb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.healing.hands import Host, Seen

URL = "http://git.greenroom.test/erp.git"
PACKAGE = {"name": "dash", "version": "1.0.0", "devDependencies": {"esbuild": "0.25.12"}}
ESBUILD = {
    "version": "0.25.12",
    "integrity": "sha512-x",
    "resolved": "https://registry.test/esbuild/-/esbuild-0.25.12.tgz",
}
LOCK = {"name": "dash", "lockfileVersion": 3, "packages": {"": PACKAGE, "node_modules/esbuild": ESBUILD}}
DOCKERFILE = "FROM node:20-alpine AS builder\nCOPY package.json package-lock.json ./\nRUN npm ci\nFROM scratch\n"
ACT = Act(Verb.OFFER_PATCH, "dashboard", "why", "undo", {"evidence": "npm error code EUSAGE"})


class Npm:
    """A host whose npm makes a given lock file, and that keeps what it was asked for."""

    def __init__(self) -> None:
        self.lock: dict[str, Any] = LOCK
        self.asked: list[dict[str, Any]] = []

    def call(self, **request: Any) -> dict[str, Any]:
        self.asked += request["acts"]
        packed = base64.b64encode(zlib.compress(json.dumps(self.lock).encode())).decode()
        return {"lock": json.dumps({"npm": "10.8.2", "lock": packed})}


@dataclass
class Repository:
    """The workload's repository as a server has it, a desk to commit at, and a patcher for it."""

    bare: Path
    desk: Path
    environment: dict[str, str]
    npm: Npm = field(default_factory=Npm)
    host: Host | None = None
    """Where the lock file is made; a real one, or what `npm` stands in for."""

    def git(self, *words: str, at: Path | None = None) -> str:
        run = ["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *words]
        return subprocess.run(run, cwd=at or self.desk, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files (`__` stands for `/`, a leading `dot_` for `.`) and push them; return the commit."""
        for name, text in files.items():
            path = self.desk / name.replace("dot_", ".").replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        self.git("push", "-q", str(self.bare), "HEAD:refs/heads/develop")
        return self.git("rev-parse", "HEAD")

    def branches(self) -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", at=self.bare).splitlines()
        return dict(line.split() for line in lines)

    def patcher(self, commit: str, *, may_push: bool = False) -> Patcher:
        declared = Declared(
            **dict.fromkeys(("stack", "project", "directory", "user", "compose_file", "env_file", "domain"), "x"),
            **dict.fromkeys(("machine", "tag", "address"), "x"),
            commit=commit,
            repository=URL,
            branch="develop",
            may_push=may_push,
        )
        return Patcher(declared, lambda: self.host or self.npm, self.environment, self.bare.parent / "incident")

    def offer(self, commit: str, *, may_push: bool = False, act: Act = ACT) -> Seen:
        return self.patcher(commit, may_push=may_push).offer(act)


@contextlib.contextmanager
def served_repository(home: Path) -> Iterator[Repository]:
    """Serve an empty repository for reading; who is on this machine may push."""
    bare, desk = home / "git" / "erp.git", home / "desk"
    for words in (["--bare", str(bare)], ["-b", "develop", str(desk)]):
        subprocess.run(["git", "init", "-q", *words], check=True)
    with serving_git(bare.parent) as port:
        rewrites = {f"url.http://127.0.0.1:{port}/.insteadOf": "", f"url.file://{bare.parent}/.pushInsteadOf": ""}
        environment = {**os.environ, "GIT_CONFIG_COUNT": str(len(rewrites))}
        for number, name in enumerate(rewrites):
            environment |= {
                f"GIT_CONFIG_KEY_{number}": name,
                f"GIT_CONFIG_VALUE_{number}": "http://git.greenroom.test/",
            }
        yield Repository(bare, desk, environment)


def seeded(repository: Repository, **more: str) -> str:
    files = {
        "dot_gitignore": "# caches\nnode_modules/\npackage-lock.json\ndist/\n",
        "dashboard__Dockerfile": DOCKERFILE,
    }
    return repository.commit(**{**files, "dashboard__package.json": json.dumps(PACKAGE), **more})
